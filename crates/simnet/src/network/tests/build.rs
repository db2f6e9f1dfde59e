//! Networks from rules and from text.

use super::*;
use crate::{HostRule, Loss, Path, PortRule, Probability};

#[test]
fn a_network_that_could_not_answer_is_refused() {
    assert!(matches!(Network::builder().build(), Err(BuildError::NoHosts)));
    let rule = || HostRule::new("10.80.0.0/24".parse().unwrap());
    let no_queue = Network::builder().hosts(rule()).most_queued(0).build();
    assert!(matches!(no_queue, Err(BuildError::NoQueue)));
    for text in ["hosts = 1", "[[hosts]]", "sed = 1", "[[hosts]]\nprefix = \"10.0.0.0/8\"\nup = 2"]
    {
        assert!(matches!(Network::from_toml(text), Err(BuildError::Toml(_))), "{text}");
    }
}

#[test]
fn toml_and_builder_make_the_same_network() {
    let loss = Loss::bursts(Probability::new(0.1).unwrap(), Probability::new(0.5).unwrap());
    let rule = HostRule::new("fd80::/64".parse().unwrap())
        .tcp(PortRule::new().open("22".parse().unwrap()).others(Behaviour::Silent))
        .icmp_limit(IcmpLimit::NONE)
        .path(Path::PERFECT.delay(5 * MS).loss(loss));
    let from_toml: HostRule = toml::from_str(
        r#"
        prefix = "fd80::/64"
        tcp = { open = "22", others = "silent" }
        icmp_limit = {}
        path = { delay_ms = 5, loss = { good_to_bad = 0.1, bad_to_good = 0.5, bad = 1.0 } }
        "#,
    )
    .unwrap();
    assert_eq!(rule, from_toml);
}
