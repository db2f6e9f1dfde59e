//! Certificates made for one test, as files.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

/// An authority, and what it signed: for `localhost` and 127.0.0.1, and for a client.
pub(crate) struct Certificates {
    directory: TempDir,
}

impl Certificates {
    pub(crate) fn new() -> Self {
        let certificates = Self { directory: TempDir::new().unwrap() };
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        // Two parties of one name would pass for one that signed itself.
        params.distinguished_name.push(DnType::CommonName, "the authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        certificates.write("ca.pem", &authority.pem());
        for (who, names) in [("server", ["localhost", "127.0.0.1"]), ("client", ["client", "me"])] {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(names.map(str::to_owned)).unwrap();
            params.distinguished_name.push(DnType::CommonName, who);
            let certificate = params.signed_by(&key, &authority).unwrap();
            certificates.write(&format!("{who}.pem"), &certificate.pem());
            certificates.write(&format!("{who}.key"), &key.serialize_pem());
        }
        certificates
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.directory.path().join(name), text).unwrap();
    }

    fn file(&self, name: &str) -> String {
        PathBuf::from(self.directory.path()).join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn ca(&self) -> String {
        self.file("ca.pem")
    }

    pub(crate) fn server(&self) -> String {
        self.file("server.pem")
    }

    pub(crate) fn server_key(&self) -> String {
        self.file("server.key")
    }

    pub(crate) fn client(&self) -> String {
        self.file("client.pem")
    }

    pub(crate) fn client_key(&self) -> String {
        self.file("client.key")
    }
}
