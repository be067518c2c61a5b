//! Paths that a backend can read differently: the setting `PATH_GUARD`.

use crate::access::routes::pattern::matches;

/// The requests that a table always refuses, as patterns of the ARN after the stage. A slash at the end does not begin
/// an empty segment.
#[rustfmt::skip]
pub(crate) const GUARDED: [&str; 16] = [
    // An empty, `.` or `..` segment; `..` with a parameter.
    "*//*", "*/./*", "*/.", "*/../*", "*/..", "*/..;*",
    // An encoded dot, slash or backslash, and a raw backslash.
    "*%2e*", "*%2E*", "*%2f*", "*%2F*", "*%5c*", "*%5C*", "*\\*",
    // An encoded NUL, and what begins an encoding of the above that is itself encoded.
    "*%00*", "*%252*", "*%255*",
];

/// Whether the guard refuses a request.
pub(crate) fn refuses(request: &str) -> bool {
    GUARDED.iter().any(|pattern| matches(pattern, request))
}

/// Whether the guard refuses all requests of a pattern. The guard looks for literal characters only, so they must be
/// in the pattern itself.
pub(crate) fn refuses_all(pattern: &str) -> bool {
    refuses(pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_a_backend_may_read_differently_are_refused() {
        for (path, is_refused) in [
            ("/", false),
            ("/pets", false),
            ("/pets/", false),
            ("/pets//", true),
            ("//", true),
            ("//pets", true),
            ("/a//b", true),
            ("/.", true),
            ("/./", true),
            ("/a/.", true),
            ("/a/./b", true),
            ("/./a", true),
            ("/..", true),
            ("/../", true),
            ("/../a", true),
            ("/a/..", true),
            ("/a/../b", true),
            ("/...", false),
            ("/.well-known/x", false),
            ("/..a", false),
            ("/a../b", false),
            ("/a./b", false),
            ("/a/b.", false),
            ("/a/.b", false),
            ("/%2e", true),
            ("/%2E%2e", true),
            ("/a%2Eb", true),
            ("/a%2fb", true),
            ("/a%2F", true),
            ("/%5c", true),
            ("/a%5Cb", true),
            ("/a%20b", false),
            ("/a%2", false),
            ("/a%5b", false),
            ("/..;", true),
            ("/a/..;/b", true),
            ("/a/..;x=1/b", true),
            ("/a..;/b", false),
            ("/a/.;/b", false),
            ("/a\\b", true),
            ("/\\", true),
            ("/a%00", true),
            ("/%00.json", true),
            ("/a%0", false),
            ("/a%001", true),
            ("/%252e", true),
            ("/a%252Fb", true),
            ("/a%255cb", true),
            ("/a%25", false),
            ("/a%2541", false),
            // What the guard does not see.
            ("/%61dmin", false),
            ("/Admin", false),
            ("/a.json", false),
        ] {
            for verb in ["GET", "OPTIONS"] {
                assert_eq!(refuses(&format!("{verb}{path}")), is_refused, "{path}");
            }
        }
        assert!(!refuses("$connect"));
    }

    #[test]
    fn a_pattern_is_refused_for_its_literal_characters_only() {
        for (path, is_refused) in [
            ("/a//*", true),
            ("/*//b", true),
            ("/*/../b", true),
            ("/*/..", true),
            ("/*%2e*", true),
            ("/*", false),
            ("/*/", false),
            ("/*/*", false),
            ("/.*", false),
            ("/*.", false),
            ("/a/.*/b", false),
            ("/%2*", false),
            ("/*/.*", false),
            ("/*/..;x", true),
            ("/*/..*", false),
            ("/%25*", false),
            ("/*%252*", true),
            ("/%00*", true),
        ] {
            let pattern = format!("GET{path}");
            assert_eq!(refuses_all(&pattern), is_refused, "{path}");
            // The same holds for each text in the place of the wildcards.
            let fills = ["", "x", ".", "..", "/", "e", "2e", "a/b"];
            let all = fills.iter().all(|fill| refuses(&pattern.replace('*', fill)));
            assert_eq!(all, is_refused, "{path}");
        }
    }
}
