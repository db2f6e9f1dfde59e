//! Certificates made for one test, as files, and listeners that show them.
#![allow(dead_code, reason = "each test program uses a part of it")]

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

use super::driver::Ports;

/// An authority, and what it signed: for `localhost` and 127.0.0.1, and for a client.
pub(crate) struct Certificates {
    directory: TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key: the paths of their files.
pub(crate) struct Identity {
    pub(crate) cert: String,
    pub(crate) key: String,
}

impl Identity {
    /// As options of the program.
    pub(crate) fn options(&self) -> [&str; 4] {
        ["--cert", &self.cert, "--key", &self.key]
    }
}

impl Certificates {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        // Two parties of one name would pass for one that signed itself.
        params.distinguished_name.push(DnType::CommonName, "the authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let certificates = Self { directory: TempDir::new().unwrap(), authority };
        certificates.write("ca.pem", &certificates.authority.pem());
        certificates.signed("server", |_| {});
        certificates.signed("client", |_| {});
        certificates
    }

    /// One that the authority signed, for `localhost` and 127.0.0.1 unless `set_up` says else.
    pub(crate) fn signed(
        &self,
        who: &str,
        set_up: impl FnOnce(&mut CertificateParams),
    ) -> Identity {
        let (key, params) = (KeyPair::generate().unwrap(), params(who, set_up));
        let certificate = params.signed_by(&key, &self.authority).unwrap();
        self.store(who, &certificate.pem(), &key)
    }

    /// One that nobody else signed.
    pub(crate) fn self_signed(
        &self,
        who: &str,
        set_up: impl FnOnce(&mut CertificateParams),
    ) -> Identity {
        let (key, params) = (KeyPair::generate().unwrap(), params(who, set_up));
        let certificate = params.self_signed(&key).unwrap();
        self.store(who, &certificate.pem(), &key)
    }

    /// Not valid any more.
    pub(crate) fn expired(&self, who: &str) -> Identity {
        self.signed(who, |params| {
            params.not_before = rcgen::date_time_ymd(2000, 1, 1);
            params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        })
    }

    /// Not valid yet.
    pub(crate) fn early(&self, who: &str) -> Identity {
        self.signed(who, |params| {
            params.not_before = rcgen::date_time_ymd(4000, 1, 1);
            params.not_after = rcgen::date_time_ymd(4001, 1, 1);
        })
    }

    /// For another host.
    pub(crate) fn elsewhere(&self, who: &str) -> Identity {
        self.signed(who, |params| {
            params.subject_alt_names =
                vec![rcgen::SanType::DnsName("elsewhere.test".try_into().unwrap())];
        })
    }

    /// What `openssl req -x509` makes: an authority, and the certificate of one end.
    pub(crate) fn authority_of_itself(&self, who: &str) -> Identity {
        self.self_signed(who, |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained))
    }

    fn store(&self, who: &str, certificate: &str, key: &KeyPair) -> Identity {
        Identity {
            cert: self.write(&format!("{who}.pem"), certificate),
            key: self.write(&format!("{who}.key"), &key.serialize_pem()),
        }
    }

    fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.directory.path().join(name), text).unwrap();
        self.file(name)
    }

    fn file(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn ca(&self) -> String {
        self.file("ca.pem")
    }

    pub(crate) fn server(&self) -> Identity {
        Identity { cert: self.file("server.pem"), key: self.file("server.key") }
    }

    pub(crate) fn client(&self) -> Identity {
        Identity { cert: self.file("client.pem"), key: self.file("client.key") }
    }
}

fn params(who: &str, set_up: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let names = ["localhost", "127.0.0.1"].map(str::to_owned);
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, who);
    set_up(&mut params);
    params
}

/// A `listen` that shows this certificate.
pub(crate) fn listen(identity: &Identity, more: &[&str]) -> Ports {
    let args = ["listen", "tls://127.0.0.1:0"];
    Ports::start(&[&args[..], &identity.options(), more].concat())
}
