//! The car's DTLS identity: a self-signed certificate, made once. Its fingerprint stands in every SDP, which the device
//! key signs, so nobody needs to trust the certificate itself.

use super::config::MeshError;
use rtc::peer_connection::certificate::CertificateParams;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime};
use webrtc::peer_connection::RTCCertificate;
use webrtc::peer_connection::crypto::{self, SignatureScheme};

/// The certificate's name; it says nothing of the car.
const NAME: &str = "jamz";
const FILE_BYTES_MAX: u64 = 64 << 10;
/// 2100: the crate would end a certificate after two days on 32-bit ARM, and no peer asks.
const EXPIRES_UNIX_S: u64 = 4_102_444_800;

/// The certificate in `path`; a new one when there is none, or what is there is damaged.
pub(super) fn read_or_make(path: &Path) -> Result<RTCCertificate, MeshError> {
    let wrong = |problem: String| MeshError::Certificate { path: path.display().to_string(), problem };
    match read(path) {
        Ok(Some(certificate)) => return Ok(certificate),
        Ok(None) => {}
        Err(ReadError::Io(error)) => return Err(wrong(error.to_string())),
        Err(ReadError::Damaged(problem)) => {
            tracing::warn!(path = %path.display(), problem, "the DTLS certificate is damaged; a new one is made");
        }
    }
    let certificate = make().map_err(wrong)?;
    let pem = certificate.serialize_pem().map_err(|error| wrong(error.to_string()))?;
    write(path, &pem).map_err(|error| wrong(error.to_string()))?;
    Ok(certificate)
}

/// The fingerprint as SDPs give it.
pub(super) fn fingerprint(certificate: &RTCCertificate) -> Result<String, MeshError> {
    let wrong = |problem: String| MeshError::Certificate { path: String::new(), problem };
    let provider = crypto::default_provider().map_err(|error| wrong(error.to_string()))?;
    let fingerprints = certificate.get_fingerprints(provider.crypto()).map_err(|error| wrong(error.to_string()))?;
    fingerprints.first().map(|print| print.value.clone()).ok_or_else(|| wrong("it has no fingerprint".into()))
}

/// The certificate and its key as PEM blocks of the usual names, for TLS.
pub(super) fn pem(certificate: &RTCCertificate) -> Result<(String, String), MeshError> {
    let wrong = |problem: String| MeshError::Certificate { path: String::new(), problem };
    // The crate calls its blocks by names of its own.
    let all =
        certificate.serialize_pem().map_err(|error| wrong(error.to_string()))?.replace("PRIVATE_KEY", "PRIVATE KEY");
    let begins = |what: &str| all.find(&format!("-----BEGIN {what}-----")).ok_or_else(|| wrong(format!("no {what}")));
    let (key, first) = (begins("PRIVATE KEY")?, begins("CERTIFICATE")?);
    let block = |from: usize, to: usize| all.get(from..to).unwrap_or_default().to_owned();
    Ok((block(first, all.len()), block(key, first.max(key))))
}

enum ReadError {
    Io(io::Error),
    Damaged(String),
}

fn read(path: &Path) -> Result<Option<RTCCertificate>, ReadError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ReadError::Io(error)),
    };
    if file.metadata().map_err(ReadError::Io)?.permissions().mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600)).map_err(ReadError::Io)?;
    }
    let mut pem = String::new();
    match file.take(FILE_BYTES_MAX).read_to_string(&mut pem) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(ReadError::Damaged(error.to_string())),
        Err(error) => return Err(ReadError::Io(error)),
        Ok(_) => {}
    }
    let provider = crypto::default_provider().map_err(|error| ReadError::Damaged(error.to_string()))?;
    let certificate = RTCCertificate::from_pem(&pem, provider.crypto());
    certificate.map(|certificate| Some(lasting(certificate))).map_err(|error| ReadError::Damaged(error.to_string()))
}

fn make() -> Result<RTCCertificate, String> {
    let provider = crypto::default_provider().map_err(|error| error.to_string())?;
    let params = CertificateParams::new(vec![NAME.to_owned()]).map_err(|error| error.to_string())?;
    RTCCertificate::generate(provider.crypto(), SignatureScheme::EcdsaP256Sha256, params)
        .map(lasting)
        .map_err(|error| error.to_string())
}

fn lasting(mut certificate: RTCCertificate) -> RTCCertificate {
    certificate.expires = SystemTime::UNIX_EPOCH + Duration::from_secs(EXPIRES_UNIX_S);
    certificate
}

/// Either nothing or the whole certificate stands there, whenever power goes.
fn write(path: &Path, pem: &str) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let fresh = folder.join(format!(".{}.new", name.to_string_lossy()));
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    file.write_all(pem.as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_is_made_once_and_only_its_owner_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mesh.pem");
        let first = fingerprint(&read_or_make(&path).unwrap()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let again = read_or_make(&path).unwrap();
        assert_eq!(fingerprint(&again).unwrap(), first);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let year_2100 = SystemTime::UNIX_EPOCH + Duration::from_secs(EXPIRES_UNIX_S);
        assert_eq!(again.expires, year_2100);
    }

    #[test]
    fn a_damaged_certificate_is_replaced_and_a_folder_that_is_missing_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mesh.pem");
        let whole = fingerprint(&read_or_make(&path).unwrap()).unwrap();
        let pem = fs::read_to_string(&path).unwrap();
        for damaged in ["", "\u{0}\u{0}", &pem[..pem.len() / 2]] {
            fs::write(&path, damaged).unwrap();
            let fresh = fingerprint(&read_or_make(&path).unwrap()).unwrap();
            assert_ne!(fresh, whole);
            assert_eq!(fingerprint(&read_or_make(&path).unwrap()).unwrap(), fresh);
        }
        let problem = read_or_make(Path::new("/nonexistent/mesh.pem")).unwrap_err().to_string();
        assert!(problem.starts_with("the DTLS certificate /nonexistent/mesh.pem:"), "{problem}");
    }
}
