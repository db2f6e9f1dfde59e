//! Arguments of `ports demo`.

use ports_core::Port;

use super::Format;

/// Arguments of `ports demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// Port of the TCP echo server; another one is taken where it is in use
    #[arg(long, value_name = "P", default_value = "8080")]
    pub(crate) tcp_port: Port,
    /// Port of the UDP echo service; another one is taken where it is in use
    #[arg(long, value_name = "P", default_value = "8081")]
    pub(crate) udp_port: Port,
    /// `table` tells the tour as it goes; `jsonl` prints one object at its end
    #[arg(long, value_name = "FORMAT", default_value = "table", value_parser = demo_format)]
    pub(crate) format: Format,
}

fn demo_format(text: &str) -> Result<Format, String> {
    match text {
        "table" => Ok(Format::Table),
        "jsonl" => Ok(Format::Jsonl),
        _ => Err("the tour can be told as `table` or `jsonl`".to_owned()),
    }
}
