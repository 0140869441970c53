//! Finds the workspace and its files, as git sees them.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

/// The root of the workspace: the folder that holds this package.
pub fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_path_buf()
}

/// Every file that is part of the tree (tracked, or new and not ignored), as sorted paths from the
/// root with forward slashes. An unpacked archive has no git data: there every file counts, build
/// output and dot-folders apart.
///
/// # Errors
///
/// When git fails in a clone, or a folder cannot be read.
pub fn files(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut files = if root.join(".git").exists() { listed(root)? } else { walked(root)? };
    // The index still lists what was deleted a moment ago.
    files.retain(|file| root.join(file).is_file());
    files.sort();
    files.dedup();
    Ok(files)
}

/// The text of a file, or nothing where it holds bytes that are not UTF-8.
///
/// # Errors
///
/// When the file cannot be read.
pub fn text(root: &Path, file: &str) -> anyhow::Result<Option<String>> {
    match std::fs::read_to_string(root.join(file)) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::InvalidData => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {file}")),
    }
}

fn listed(root: &Path) -> anyhow::Result<Vec<String>> {
    // Builders often run as another user than the owner of the clone, which git refuses by itself.
    let output = Command::new("git")
        .args(["-c", "safe.directory=*", "ls-files", "-z"])
        .args(["--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .stdin(Stdio::null())
        .output()
        .context("cannot start git")?;
    if !output.status.success() {
        bail!("git ls-files: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let names = String::from_utf8(output.stdout).context("a file name is not UTF-8")?;
    Ok(names.split_terminator('\0').map(str::to_owned).collect())
}

fn walked(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut files = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let path = root.join(&folder);
        for entry in path.read_dir().with_context(|| format!("cannot read {folder:?}"))? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                bail!("a file name in {folder:?} is not UTF-8");
            };
            let inner = format!("{folder}{name}");
            if !entry.file_type()?.is_dir() {
                files.push(inner);
            } else if inner != "target" && !name.starts_with('.') {
                folders.push(inner + "/");
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::{files, root, text, walked};

    #[test]
    fn this_file_is_found_by_git_and_by_walking() {
        let this = "xtask/src/workspace.rs".to_owned();
        assert!(files(&root()).unwrap().contains(&this));
        let walked = walked(&root()).unwrap();
        assert!(walked.contains(&this));
        assert!(!walked.iter().any(|file| file.starts_with("target/")));
        assert!(text(&root(), &this).unwrap().unwrap().starts_with("//! "));
    }
}
