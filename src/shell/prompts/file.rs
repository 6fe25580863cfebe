//! Sound files under the flows directory, and nowhere else.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use super::PromptError;

/// One state of a file: when it changes, this does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Located {
    path: PathBuf,
    modified: Option<SystemTime>,
    length: u64,
}

/// Finds the file that a flow calls `name`.
///
/// A name is relative, goes through no `..` and no hidden file, and what it leads to, links followed,
/// has to lie in `root` and be a regular file.
pub(super) fn locate(root: &Path, name: &str) -> Result<Located, PromptError> {
    let name = Path::new(name);
    let is_plain = name.components().all(|component| match component {
        Component::Normal(part) => !part.as_encoded_bytes().starts_with(b"."),
        Component::CurDir => true,
        Component::Prefix(_) | Component::RootDir | Component::ParentDir => false,
    });
    if !is_plain || name.as_os_str().as_encoded_bytes().contains(&0) {
        return Err(PromptError::Outside);
    }
    let root = fs::canonicalize(root).map_err(unreadable)?;
    let path = fs::canonicalize(root.join(name)).map_err(unreadable)?;
    if !path.starts_with(&root) {
        return Err(PromptError::Outside);
    }
    let metadata = fs::metadata(&path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(PromptError::Unreadable {
            kind: io::ErrorKind::InvalidInput,
        });
    }
    Ok(Located {
        path,
        modified: metadata.modified().ok(),
        length: metadata.len(),
    })
}

impl Located {
    /// Reads the file, which may have grown meanwhile.
    pub(super) fn read(&self, limit: usize) -> Result<Vec<u8>, PromptError> {
        let mut bytes = Vec::new();
        File::open(&self.path)
            .and_then(|file| file.take(limit as u64 + 1).read_to_end(&mut bytes))
            .map_err(unreadable)?;
        if bytes.len() > limit {
            return Err(PromptError::TooLarge { limit });
        }
        Ok(bytes)
    }

    pub(super) fn extension(&self) -> &str {
        self.path
            .extension()
            .and_then(|extension| extension.to_str())
            .unwrap_or_default()
    }
}

fn unreadable(error: io::Error) -> PromptError {
    PromptError::Unreadable { kind: error.kind() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_regular_files_inside_the_directory_are_found() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret.wav"), b"secret").unwrap();
        let home = tempfile::tempdir().unwrap();
        let root = home.path().join("flows");
        fs::create_dir_all(root.join("sounds")).unwrap();
        fs::write(root.join("sounds/menu.wav"), b"menu").unwrap();
        fs::write(root.join(".hidden.wav"), b"hidden").unwrap();
        fs::write(home.path().join("flows-not.wav"), b"beside").unwrap();
        symlink(root.join("sounds/menu.wav"), root.join("link.wav")).unwrap();
        symlink(outside.path().join("secret.wav"), root.join("escape.wav")).unwrap();
        symlink(outside.path(), root.join("escape")).unwrap();
        symlink("loop.wav", root.join("loop.wav")).unwrap();

        for name in ["sounds/menu.wav", "./sounds/menu.wav", "link.wav"] {
            let found = locate(&root, name).unwrap();
            assert_eq!(found.read(4).unwrap(), b"menu", "{name}");
            assert_eq!(found.extension(), "wav");
        }
        let secret = outside.path().join("secret.wav");
        for name in [
            "../flows-not.wav",
            "sounds/../../flows-not.wav",
            "sounds/../sounds/menu.wav",
            "/etc/passwd",
            "///etc/passwd",
            secret.to_str().unwrap(),
            ".hidden.wav",
            "escape.wav",
            "escape/secret.wav",
            "menu.wav\0.wav",
        ] {
            assert_eq!(locate(&root, name), Err(PromptError::Outside), "{name:?}");
        }
        for name in [
            "",
            "sounds",
            "missing.wav",
            "sounds/menu.wav/x",
            "loop.wav",
            "..\\x.wav",
        ] {
            let found = locate(&root, name);
            let is_refused = matches!(
                found,
                Err(PromptError::Unreadable { .. } | PromptError::Outside)
            );
            assert!(is_refused, "{name:?}: {found:?}");
        }
        let found = locate(&root, "link.wav").unwrap();
        assert_eq!(found.read(3), Err(PromptError::TooLarge { limit: 3 }));
    }
}
