//! Which project a directory belongs to.

use std::path::Path;

/// The directory or the nearest one above it that is under version control, else the directory.
pub(super) fn of(directory: &Path) -> &Path {
    of_marked(directory, |directory| {
        [".git", ".hg", ".jj"].iter().any(|mark| directory.join(mark).exists())
    })
}

fn of_marked(directory: &Path, is_marked: impl Fn(&Path) -> bool) -> &Path {
    directory.ancestors().find(|directory| is_marked(directory)).unwrap_or(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mark_counts() {
        let project = |directory, marked: &[&str]| {
            let is_marked =
                |directory: &Path| marked.iter().any(|mark| directory == Path::new(mark));
            of_marked(Path::new(directory), is_marked).to_str().unwrap().to_owned()
        };
        assert_eq!(project("/src/shop/api", &["/src/shop"]), "/src/shop");
        assert_eq!(project("/src/shop/api", &["/src", "/src/shop/api"]), "/src/shop/api");
        assert_eq!(project("/src/shop/api", &[]), "/src/shop/api");
    }
}
