//! Paths that are allowed but look like a mistake.

/// Names that many stages have.
const STAGES: [&str; 14] = [
    "$default",
    "dev",
    "develop",
    "development",
    "live",
    "prd",
    "prod",
    "production",
    "qa",
    "sandbox",
    "stage",
    "staging",
    "test",
    "uat",
];

/// What looks wrong in the path of a request or an entry. `stages`: the names of the API's stages.
pub(crate) fn doubts(path: &str, stages: &[&str]) -> Vec<String> {
    let mut doubts = Vec::new();
    for (index, segment) in path.trim_start_matches('/').split('/').enumerate() {
        if index == 0 && !segment.is_empty() && stages.contains(&segment) {
            doubts.push(format!(
                "`/{segment}` is the stage's name, which is not part of the path: leave it out"
            ));
        }
        let Some(name) = segment.strip_prefix(':') else { continue };
        if !name.is_empty() {
            doubts.push(format!(
                "`{segment}` is a literal segment here: a variable is written `{{{name}}}`"
            ));
        }
    }
    doubts
}

/// The segment with which all paths begin, if it is what many stages are called. One entry proves nothing.
pub(crate) fn common_stage<'p>(paths: impl Iterator<Item = &'p str>) -> Option<&'p str> {
    let mut common = None;
    let mut count = 0;
    for path in paths {
        let first = path.trim_start_matches('/').split('/').next()?;
        if common.is_some_and(|common| common != first) {
            return None;
        }
        common = Some(first);
        count += 1;
    }
    common.filter(|first| count > 1 && STAGES.contains(first))
}
