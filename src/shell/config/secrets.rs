//! Passwords and keys that were made at the first start and are kept for the next.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::ids::Rng;

/// The content of `secrets.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Secrets {
    /// The key of the REST API.
    accesskey: Option<String>,
    /// The name of this node among those that share a database.
    node: Option<String>,
    /// Password by extension.
    extensions: BTreeMap<String, String>,
}

/// Why secrets cannot be kept; one line.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {why}", file = file.display())]
pub struct SecretsError {
    /// The file or directory.
    file: PathBuf,
    /// What went wrong with it.
    why: String,
}

/// Sixteen letters and digits of five bits each: 80 bits, beyond any guessing over a network.
const PASSWORD_LENGTH: usize = 16;

/// The password of every extension: as configured, else as kept in `data/secrets.toml`, else made now
/// and kept there, readable by the owner alone.
pub fn passwords(
    data: &Path,
    extensions: &[(String, Option<String>)],
    rng: &mut Rng,
) -> Result<Vec<(String, String)>, SecretsError> {
    let file = data.join("secrets.toml");
    let known = read(&file)?;
    let mut secrets = known.clone();
    let mut passwords = Vec::new();
    for (extension, configured) in extensions {
        let password = configured.clone().unwrap_or_else(|| {
            let made = || rng.token(PASSWORD_LENGTH);
            secrets
                .extensions
                .entry(extension.clone())
                .or_insert_with(made)
                .clone()
        });
        passwords.push((extension.clone(), password));
    }
    if secrets != known {
        write(data, &file, &secrets)?;
    }
    Ok(passwords)
}

/// The access key of the REST API and the name of this node, as kept in `data/secrets.toml`, else made now.
pub fn key_and_node(data: &Path, rng: &mut Rng) -> Result<(String, String), SecretsError> {
    let file = data.join("secrets.toml");
    let known = read(&file)?;
    let mut secrets = known.clone();
    let key = secrets
        .accesskey
        .get_or_insert_with(|| crate::api::new_key(rng))
        .clone();
    let node = secrets
        .node
        .get_or_insert_with(|| rng.token(PASSWORD_LENGTH))
        .clone();
    if secrets != known {
        write(data, &file, &secrets)?;
    }
    Ok((key, node))
}

fn read(file: &Path) -> Result<Secrets, SecretsError> {
    let fail = |why: String| SecretsError {
        file: file.to_owned(),
        why: why.replace('\n', " "),
    };
    match std::fs::read_to_string(file) {
        Ok(text) => toml::from_str(&text).map_err(|error| fail(error.message().to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Secrets::default()),
        Err(error) => Err(fail(error.to_string())),
    }
}

/// Written beside and renamed, so that a crash leaves the old file or the new one.
fn write(data: &Path, file: &Path, secrets: &Secrets) -> Result<(), SecretsError> {
    let fail = |why: String| SecretsError {
        file: file.to_owned(),
        why,
    };
    let text = toml::to_string(secrets).map_err(|error| fail(error.to_string()))?;
    let beside = file.with_extension("toml.new");
    let written = || {
        std::fs::create_dir_all(data)?;
        let mut options = std::fs::OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        let mut output = options.open(&beside)?;
        output.write_all(text.as_bytes())?;
        output.sync_all()?;
        std::fs::rename(&beside, file)
    };
    written().map_err(|error: std::io::Error| fail(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_made_password_is_kept_and_only_the_owner_can_read_it() {
        let data = tempfile::tempdir().unwrap();
        let wanted = [
            ("1000".to_owned(), None),
            ("1001".to_owned(), Some("mine".to_owned())),
        ];
        let first = passwords(data.path(), &wanted, &mut Rng::from_number(1)).unwrap();
        let second = passwords(data.path(), &wanted, &mut Rng::from_number(2)).unwrap();
        assert_eq!(first, second);
        assert_eq!(first[0].1.len(), PASSWORD_LENGTH);
        assert_eq!(first[1].1, "mine");
        let mode = std::fs::metadata(data.path().join("secrets.toml"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = std::fs::read_to_string(data.path().join("secrets.toml")).unwrap();
        assert!(!text.contains("mine"));
    }

    #[test]
    fn the_access_key_and_the_node_are_the_same_after_each_start() {
        let data = tempfile::tempdir().unwrap();
        let first = key_and_node(data.path(), &mut Rng::from_number(1)).unwrap();
        passwords(
            data.path(),
            &[("1000".to_owned(), None)],
            &mut Rng::from_number(2),
        )
        .unwrap();
        let second = key_and_node(data.path(), &mut Rng::from_number(3)).unwrap();
        assert_eq!(first, second);
        assert!(first.0.starts_with("vb_"));
    }

    #[test]
    fn a_damaged_file_is_an_error_and_stays_as_it_is() {
        let data = tempfile::tempdir().unwrap();
        let file = data.path().join("secrets.toml");
        std::fs::write(&file, "extensions = 5").unwrap();
        assert!(passwords(data.path(), &[], &mut Rng::from_number(1)).is_err());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "extensions = 5");
    }
}
