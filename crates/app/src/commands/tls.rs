//! TLS as the command line asks for it: files to configurations.

mod known;
mod unverified;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use ports_core::{Endpoint, Host, Scheme};
use sockets_tcp::rustls::client::WebPkiServerVerifier;
use sockets_tcp::rustls::crypto::{CryptoProvider, ring};
use sockets_tcp::rustls::pki_types::pem::{self, PemObject as _};
use sockets_tcp::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use sockets_tcp::rustls::server::WebPkiClientVerifier;
use sockets_tcp::rustls::{ClientConfig, RootCertStore, ServerConfig};

use self::known::Known;
use crate::args::TlsArgs;
use crate::exit::UsageError;
use crate::output::Terminal;

/// The largest PEM file read, in bytes: some twenty times what the authorities of a system take.
const LARGEST_PEM: u64 = 4 << 20;

/// What a client needs: the configuration, and whose certificate it wants to see.
pub(in crate::commands) type ClientTls = (Arc<ClientConfig>, ServerName<'static>);

/// That options of TLS are given where nothing speaks it.
pub(in crate::commands) fn check(
    args: &TlsArgs,
    endpoints: &[&Endpoint],
) -> Result<(), UsageError> {
    let speaks = endpoints.iter().any(|endpoint| endpoint.scheme() == Scheme::Tls);
    match args.given() {
        Some(option) if !speaks => {
            Err(UsageError(format!("{option} is for TLS: no endpoint begins with tls://")))
        }
        _ => Ok(()),
    }
}

/// That a listener on `endpoint` has what it needs.
pub(in crate::commands) fn check_listener(
    args: &TlsArgs,
    endpoint: &Endpoint,
) -> Result<(), UsageError> {
    if endpoint.scheme() == Scheme::Tls && args.cert.is_none() {
        return Err(UsageError(format!("{endpoint}: TLS needs --cert FILE and --key FILE")));
    }
    Ok(())
}

/// For a listener; `None` where `endpoint` is not TLS.
pub(in crate::commands) fn server(
    args: &TlsArgs,
    endpoint: &Endpoint,
) -> anyhow::Result<Option<Arc<ServerConfig>>> {
    if endpoint.scheme() != Scheme::Tls {
        return Ok(None);
    }
    let (chain, key) = identity(args)?.context("TLS needs --cert FILE and --key FILE")?;
    let builder =
        ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = match &args.ca {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(authorities(file)?.into(), provider());
            builder.with_client_cert_verifier(verifier.build()?)
        }
    };
    let config = builder.with_single_cert(chain, key).with_context(|| mismatch(args))?;
    Ok(Some(Arc::new(config)))
}

/// For a connection to `endpoint`; `None` where it is not TLS.
pub(in crate::commands) fn client(
    args: &TlsArgs,
    endpoint: &Endpoint,
    terminal: Terminal,
) -> anyhow::Result<Option<ClientTls>> {
    if endpoint.scheme() != Scheme::Tls {
        return Ok(None);
    }
    let builder =
        ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = if args.insecure {
        terminal.warn("--insecure: the certificate of the other side is not checked");
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(unverified::Anybody::new(provider())))
    } else {
        match &args.ca {
            None => builder.with_root_certificates(system_authorities(terminal)?),
            Some(file) => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(known_authorities(file)?)),
        }
    };
    let config = match identity(args)? {
        Some((chain, key)) => {
            builder.with_client_auth_cert(chain, key).with_context(|| mismatch(args))?
        }
        None => builder.with_no_client_auth(),
    };
    Ok(Some((Arc::new(config), server_name(args, endpoint)?)))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn server_name(args: &TlsArgs, endpoint: &Endpoint) -> anyhow::Result<ServerName<'static>> {
    let name = match (&args.server_name, endpoint.host(), endpoint.socket_addr()) {
        (Some(name), _, _) | (None, Host::Name(name), _) => name.clone(),
        (None, _, Some(address)) => return Ok(address.ip().into()),
        (None, host, None) => host.to_string(),
    };
    ServerName::try_from(name.clone())
        .with_context(|| format!("`{name}` is no name that a certificate can have"))
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn identity(args: &TlsArgs) -> anyhow::Result<Option<Identity>> {
    let (Some(cert), Some(key)) = (&args.cert, &args.key) else { return Ok(None) };
    let chain = certificates(cert)?;
    let key = PrivateKeyDer::from_pem_slice(&read(key)?)
        .map_err(|error| unreadable(key, "private key (an encrypted one is not read)", error))?;
    Ok(Some((chain, key)))
}

/// A whole file of at most [`LARGEST_PEM`] bytes.
fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(file)
        .and_then(|opened| opened.take(LARGEST_PEM + 1).read_to_end(&mut text))
        .with_context(|| format!("cannot read `{}`", file.display()))?;
    anyhow::ensure!(
        text.len() as u64 <= LARGEST_PEM,
        "`{}` is larger than {LARGEST_PEM} bytes: no certificates, and no key",
        file.display()
    );
    Ok(text)
}

fn certificates(file: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let certificates = CertificateDer::pem_slice_iter(&read(file)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unreadable(file, "certificate", error))?;
    anyhow::ensure!(!certificates.is_empty(), "`{}` has no certificate in it", file.display());
    Ok(certificates)
}

fn authorities(file: &Path) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots
            .add(certificate)
            .with_context(|| format!("`{}` is no certificate of an authority", file.display()))?;
    }
    Ok(roots)
}

fn known_authorities(file: &Path) -> anyhow::Result<Known> {
    let roots = Arc::new(authorities(file)?);
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider()).build()?;
    Ok(Known::new(verifier, certificates(file)?))
}

/// Those that the system trusts, where its programs look for them, or where `SSL_CERT_FILE` says.
fn system_authorities(terminal: Terminal) -> anyhow::Result<RootCertStore> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, ignored) = roots.add_parsable_certificates(found.certs);
    terminal.note(&format!("{added} authorities of the system, {ignored} not understood"));
    if let Some(error) = found.errors.first() {
        terminal.note(&error.to_string());
    }
    anyhow::ensure!(
        added > 0,
        "the system has no certificates of authorities: install them (ca-certificates), or give \
         --ca FILE or --insecure"
    );
    Ok(roots)
}

fn unreadable(file: &Path, what: &str, error: pem::Error) -> anyhow::Error {
    let file = file.display();
    match error {
        pem::Error::NoItemsFound => anyhow::anyhow!("`{file}` has no {what} in it, in PEM"),
        error => anyhow::anyhow!("cannot read {what} from `{file}`: {error}"),
    }
}

fn mismatch(args: &TlsArgs) -> String {
    let name = |path: &Option<std::path::PathBuf>| {
        path.as_ref().map(|path| path.display().to_string()).unwrap_or_default()
    };
    format!("`{}` and `{}` do not belong together", name(&args.cert), name(&args.key))
}
