//! Paths and patterns of this machine → the files they mean.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use glob::Pattern;

use super::{MATCHING, SourceFile, bad_path, is_hidden};
use crate::source::SourceError;

/// The files that `declared` means, in the order of their names.
///
/// A relative path starts at the project's folder and must not leave it, not by `..` and not through a symbolic
/// link; an absolute path says openly that the data lies elsewhere and is taken as it is. A folder means all files
/// below it, but for hidden ones.
pub(super) fn find(root: &Path, declared: &str) -> Result<Vec<SourceFile>, SourceError> {
    let path = Path::new(declared);
    if declared.is_empty() || declared.contains('\0') {
        return Err(bad_path(declared, "it names no file"));
    }
    if path.components().any(|part| part == Component::ParentDir) {
        return Err(bad_path(declared, "`..` is not allowed; write an absolute path for data outside the project"));
    }
    if !declared.contains(['*', '?', '[']) {
        let found = fs::metadata(root.join(declared)).map_err(read_error(declared))?;
        return if found.is_dir() { folder(root, declared) } else { Ok(vec![single(root, declared)?]) };
    }
    let pattern = Pattern::new(declared).map_err(|error| bad_path(declared, error.msg))?;
    // The folders before the first wildcard need not be searched for.
    let fixed: PathBuf =
        path.components().take_while(|part| !part.as_os_str().to_string_lossy().contains(['*', '?', '['])).collect();
    let start = root.join(&fixed);
    let mut names = Vec::new();
    if start.is_dir() {
        walk(&start, &fixed, &|name| pattern.matches_path_with(name, MATCHING), &mut names)?;
    }
    names.sort();
    let files = names.iter().map(|name| single(root, name)).collect::<Result<Vec<_>, _>>()?;
    if files.is_empty() { Err(SourceError::NoMatch { pattern: declared.into() }) } else { Ok(files) }
}

/// All files below a folder.
fn folder(root: &Path, declared: &str) -> Result<Vec<SourceFile>, SourceError> {
    stays_inside(root, declared)?;
    let mut names = Vec::new();
    let shown = |name: &Path| !is_hidden(&name.strip_prefix(declared).unwrap_or(name).to_string_lossy());
    walk(&root.join(declared), Path::new(declared), &shown, &mut names)?;
    names.sort();
    let files = names.iter().map(|name| single(root, name)).collect::<Result<Vec<_>, _>>()?;
    if files.is_empty() { Err(SourceError::Folder { path: declared.into() }) } else { Ok(files) }
}

fn read_error(path: &str) -> impl FnOnce(io::Error) -> SourceError {
    let path = path.to_owned();
    move |source| match source.kind() {
        io::ErrorKind::NotFound => SourceError::Missing { path },
        _ => SourceError::Read { path, source },
    }
}

fn single(root: &Path, name: &str) -> Result<SourceFile, SourceError> {
    let path = root.join(name);
    let metadata = fs::metadata(&path).map_err(read_error(name))?;
    if metadata.is_dir() {
        return Err(SourceError::Folder { path: name.into() });
    }
    stays_inside(root, name)?;
    Ok(SourceFile::local(path, name.into()))
}

fn stays_inside(root: &Path, name: &str) -> Result<(), SourceError> {
    if Path::new(name).is_relative() {
        let real = fs::canonicalize(root.join(name)).map_err(read_error(name))?;
        let real_root = fs::canonicalize(root).map_err(read_error(name))?;
        if !real.starts_with(&real_root) {
            return Err(bad_path(name, "it leads out of the project's folder through a link"));
        }
    }
    Ok(())
}

fn walk(
    folder: &Path,
    relative: &Path,
    wanted: &dyn Fn(&Path) -> bool,
    found: &mut Vec<String>,
) -> Result<(), SourceError> {
    let shown = relative.to_string_lossy().into_owned();
    for entry in fs::read_dir(folder).map_err(read_error(&shown))? {
        let entry = entry.map_err(read_error(&shown))?;
        let below = relative.join(entry.file_name());
        // Links to folders are not followed: they could lead in circles.
        if entry.file_type().map_err(read_error(&shown))?.is_dir() {
            walk(&entry.path(), &below, wanted, found)?;
        } else if wanted(&below) {
            let Some(name) = below.to_str() else {
                return Err(bad_path(&below.to_string_lossy(), "its name is not UTF-8"));
            };
            found.push(name.replace(std::path::MAIN_SEPARATOR, "/"));
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    fn names(root: &Path, declared: &str) -> Vec<String> {
        find(root, declared).unwrap().into_iter().map(|file| file.name).collect()
    }

    #[test]
    fn patterns_stay_in_the_project_and_keep_an_order() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("data/2020/深")).unwrap();
        for name in ["data/b.csv", "data/a.csv", "data/2020/c.csv", "data/2020/深/d.csv", "data/.hidden.csv"] {
            fs::write(root.join(name), "x\n1\n").unwrap();
        }
        assert_eq!(names(root, "data/*.csv"), ["data/a.csv", "data/b.csv"]);
        assert_eq!(names(root, "data/**/*.csv").len(), 4);
        assert_eq!(names(root, "data/2020/深/?.csv"), ["data/2020/深/d.csv"]);
        let absolute = root.join("data/a.csv").to_string_lossy().into_owned();
        assert_eq!(names(Path::new("/nonexistent"), &absolute), [absolute]);
        assert!(matches!(find(root, "data/*.txt"), Err(SourceError::NoMatch { .. })));
        assert!(matches!(find(root, "data/z.csv"), Err(SourceError::Missing { .. })));
        let all = ["data/2020/c.csv", "data/2020/深/d.csv", "data/a.csv", "data/b.csv"];
        assert_eq!(names(root, "data"), all);
        assert_eq!(names(root, "data/"), all);
        fs::create_dir(root.join("empty")).unwrap();
        assert!(matches!(find(root, "empty"), Err(SourceError::Folder { .. })));
        assert!(matches!(find(root, "data/../../x"), Err(SourceError::BadPath { .. })));
        assert!(matches!(find(root, "data/[.csv"), Err(SourceError::BadPath { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_out_of_the_project_is_refused() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret.csv"), "x\n1\n").unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret.csv"), folder.path().join("link.csv")).unwrap();
        let error = find(folder.path(), "link.csv").unwrap_err();
        assert!(error.to_string().contains("leads out of the project's folder"), "{error}");
    }
}
