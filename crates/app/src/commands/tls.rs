//! TLS as the command line asks for it: files to configurations.

mod advice;
mod files;
mod trusted_clients;
mod trusted_servers;

use std::sync::Arc;

use anyhow::Context;
use ports_core::{Endpoint, Host, Scheme};
use sockets_tcp::rustls::client::WebPkiServerVerifier;
use sockets_tcp::rustls::crypto::{CryptoProvider, ring};
use sockets_tcp::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use sockets_tcp::rustls::server::WebPkiClientVerifier;
use sockets_tcp::rustls::{
    CertificateError, ClientConfig, Error, InconsistentKeys, RootCertStore, ServerConfig,
};

use self::trusted_clients::TrustedClients;
use self::trusted_servers::TrustedServers;
use crate::args::{Place, TlsArgs};
use crate::exit::UsageError;
use crate::output::Terminal;

pub(in crate::commands) use self::advice::{End, advice, with_advice};

/// What a client needs: the configuration, and whose certificate it wants to see.
pub(in crate::commands) type ClientTls = (Arc<ClientConfig>, ServerName<'static>);

/// That options of TLS are given where nothing has a use for them: nothing speaks it where the command
/// listens or connects, or nothing where it connects.
pub(in crate::commands) fn check(
    args: &TlsArgs,
    listeners: &[Scheme],
    target: Option<Scheme>,
) -> Result<(), UsageError> {
    let is_tls = |scheme: &Scheme| *scheme == Scheme::Tls;
    if let Some(option) = args.given()
        && !listeners.iter().chain(&target).any(is_tls)
    {
        return Err(UsageError(format!(
            "{option} is for TLS: no endpoint begins with tls:// or tls+fd:"
        )));
    }
    match args.given_for_target() {
        Some(option) if !target.as_ref().is_some_and(is_tls) => Err(UsageError(format!(
            "{option} is for who connects to tls://: a listener asks its clients for certificates \
             with --ca only"
        ))),
        _ => Ok(()),
    }
}

/// That a listener at `place` has what it needs.
pub(in crate::commands) fn check_listener(args: &TlsArgs, place: &Place) -> Result<(), UsageError> {
    if place.scheme() == Scheme::Tls && args.cert.is_none() {
        return Err(UsageError(format!("{place}: TLS needs --cert FILE and --key FILE")));
    }
    Ok(())
}

/// For a listener that speaks TLS.
pub(in crate::commands) fn server(args: &TlsArgs) -> anyhow::Result<Arc<ServerConfig>> {
    let (chain, key) = identity(args)?.context("TLS needs --cert FILE and --key FILE")?;
    let builder =
        ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = match &args.ca {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let (roots, certificates) = files::authorities(file)?;
            let verifier =
                WebPkiClientVerifier::builder_with_provider(roots.into(), provider()).build()?;
            let clients = TrustedClients::new(verifier, certificates);
            builder.with_client_cert_verifier(Arc::new(clients))
        }
    };
    let config = builder.with_single_cert(chain, key).map_err(|error| unusable(args, error))?;
    Ok(Arc::new(config))
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
    let servers = if args.insecure {
        terminal.warn("--insecure: the certificate of the other side is not checked");
        TrustedServers::anybody(provider())
    } else {
        let (roots, certificates) = match &args.ca {
            None => (system_authorities(terminal)?, Vec::new()),
            Some(file) => files::authorities(file)?,
        };
        let verifier =
            WebPkiServerVerifier::builder_with_provider(roots.into(), provider()).build()?;
        TrustedServers::known(provider(), verifier, certificates)
    };
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(servers));
    let config = match identity(args)? {
        Some((chain, key)) => {
            builder.with_client_auth_cert(chain, key).map_err(|error| unusable(args, error))?
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
        // Whoever means this machine by no name.
        (None, Host::Any, _) => "localhost".to_owned(),
        (None, _, Some(address)) => return Ok(address.ip().into()),
        (None, host, None) => host.to_string(),
    };
    let name = ServerName::try_from(name.clone()).map_err(|_| {
        UsageError(format!("`{name}` is no name that a certificate can have (--server-name)"))
    });
    Ok(name?)
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn identity(args: &TlsArgs) -> anyhow::Result<Option<Identity>> {
    let (Some(cert), Some(key)) = (&args.cert, &args.key) else { return Ok(None) };
    Ok(Some((files::certificates(cert)?, files::key(key, &provider())?)))
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

/// Why a certificate and its key are of no use.
fn unusable(args: &TlsArgs, error: Error) -> anyhow::Error {
    let name = |path: &Option<std::path::PathBuf>| {
        path.as_ref().map(|path| path.display().to_string()).unwrap_or_default()
    };
    let (cert, key) = (name(&args.cert), name(&args.key));
    match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => anyhow::anyhow!(
            "`{cert}` and `{key}` do not belong together: --key is to be the key of the first \
             certificate in --cert"
        ),
        Error::InvalidCertificate(CertificateError::BadEncoding) => {
            anyhow::anyhow!("`{cert}` has a certificate in it that is broken")
        }
        error => anyhow::anyhow!(
            "`{cert}` and `{key}` are of no use: {}",
            sockets_tcp::TlsError::from(error)
        ),
    }
}
