//! JSON that two readers could read in two ways.

use super::*;

#[test]
fn each_gets_exactly_its_reason() {
    check(json_texts);
}

/// All of these are signed by the right key.
fn json_texts(table: &mut Table) {
    table.group("duplicate members, byte order marks, not UTF-8, not JSON, deep nesting");
    let header = br#"{"alg":"RS256","kid":"k1"}"#;
    let payload = claims().to_string();
    let members = &payload[1..payload.len() - 1];
    let headers: Vec<(&str, Vec<u8>)> = vec![
        ("alg twice", br#"{"alg":"none","alg":"RS256","kid":"k1"}"#.into()),
        ("alg twice, the good one first", br#"{"alg":"RS256","kid":"k1","alg":"none"}"#.into()),
        ("alg twice by escape", br#"{"alg":"RS256","\u0061lg":"RS256","kid":"k1"}"#.into()),
        ("kid twice", br#"{"alg":"RS256","kid":"k2","kid":"k1"}"#.into()),
        ("a member nobody knows twice", br#"{"alg":"RS256","kid":"k1","x":1,"x":1}"#.into()),
        ("crit twice, hidden", br#"{"alg":"RS256","kid":"k1","x":{"crit":1,"crit":2}}"#.into()),
        ("array", br#"["RS256"]"#.into()),
        ("string", br#""RS256""#.into()),
        ("null", b"null".into()),
        ("empty object", b"{}".into()),
        ("kid is a number", br#"{"alg":"RS256","kid":1}"#.into()),
        ("typ is an array", br#"{"alg":"RS256","kid":"k1","typ":["JWT"]}"#.into()),
        ("cty is null", br#"{"alg":"RS256","kid":"k1","cty":null}"#.into()),
    ];
    for (name, header) in headers {
        table.token(
            format!("header: {name}"),
            K1.token_raw(&header, payload.as_bytes()),
            MALFORMED,
        );
    }
    for (name, payload) in [
        ("iss twice", format!(r#"{{"iss":"https://evil.example.com",{members}}}"#)),
        ("exp twice", format!(r#"{{{members},"exp":9999999999}}"#)),
        ("aud twice by escape", format!(r#"{{{members},"a\u0075d":"x"}}"#)),
        ("sub twice", format!(r#"{{{members},"sub":"admin"}}"#)),
        ("twice, deep within", format!(r#"{{{members},"x":[{{"y":{{"z":1,"z":2}}}}]}}"#)),
        ("exp 1e400", format!(r#"{{{},"exp":1e400}}"#, members.replace("\"exp\"", "\"_\""))),
        ("exp NaN", format!(r#"{{{},"exp":NaN}}"#, members.replace("\"exp\"", "\"_\""))),
        ("exp Infinity", format!(r#"{{{},"exp":Infinity}}"#, members.replace("\"exp\"", "\"_\""))),
        (
            "exp hexadecimal",
            format!(r#"{{{},"exp":0xffffffff}}"#, members.replace("\"exp\"", "\"_\"")),
        ),
        (
            "exp with a leading zero",
            format!(r#"{{{},"exp":09999999999}}"#, members.replace("\"exp\"", "\"_\"")),
        ),
        ("nbf 1e400", format!(r#"{{{},"nbf":1e400}}"#, members.replace("\"nbf\"", "\"_\""))),
        ("nbf NaN", format!(r#"{{{},"nbf":NaN}}"#, members.replace("\"nbf\"", "\"_\""))),
        ("iat 1e400", format!(r#"{{{},"iat":1e400}}"#, members.replace("\"iat\"", "\"_\""))),
        ("iat NaN", format!(r#"{{{},"iat":NaN}}"#, members.replace("\"iat\"", "\"_\""))),
        ("lone surrogate", format!(r#"{{{members},"x":"\ud800"}}"#)),
        ("array", format!("[{payload}]")),
        ("array of one claim", r#"["iss"]"#.to_owned()),
        ("string", format!("{payload:?}")),
    ] {
        table.token(
            format!("payload: {name}"),
            K1.token_raw(header, payload.as_bytes()),
            MALFORMED,
        );
    }
    let utf16: Vec<u8> = payload.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let deep = |open: &str, close: &str, levels| {
        format!("{}1{}", open.repeat(levels), close.repeat(levels))
    };
    for (part, good) in [("header", &header[..]), ("payload", payload.as_bytes())] {
        let body = &good[..good.len() - 1];
        let texts: Vec<(&str, Vec<u8>)> = vec![
            ("byte order mark", [&b"\xef\xbb\xbf"[..], good].concat()),
            ("byte order mark after", [good, b"\xef\xbb\xbf"].concat()),
            ("UTF-16", utf16.clone()),
            ("invalid UTF-8", [body, b",\"x\":\"\xff\"}"].concat()),
            ("overlong UTF-8", [body, b",\"x\":\"\xc0\xaf\"}"].concat()),
            ("surrogates in UTF-8", [body, b",\"x\":\"\xed\xa0\x80\"}"].concat()),
            ("NUL in a string", [body, b",\"x\":\"\0\"}"].concat()),
            ("NUL after", [good, b"\0"].concat()),
            ("line end in a string", [body, b",\"x\":\"\n\"}"].concat()),
            ("trailing comma", [body, b",}"].concat()),
            ("comment", [body, b"/**/}"].concat()),
            ("two objects", [good, good].concat()),
            ("unclosed", body.to_vec()),
            ("closed twice", [good, b"}"].concat()),
            ("single quotes", b"{'alg':'RS256'}".to_vec()),
            ("nothing but space", b"  ".to_vec()),
            ("arrays 200 deep", [body, b",\"x\":", deep("[", "]", 200).as_bytes(), b"}"].concat()),
            (
                "objects 1,000 deep",
                [body, b",\"x\":", deep("{\"x\":", "}", 1000).as_bytes(), b"}"].concat(),
            ),
            ("arrays 10,000 deep, unclosed", "[".repeat(10_000).into()),
            (
                "array 10,000 deep in a member, unclosed",
                [&b"{\"x\":"[..], "[".repeat(10_000).as_bytes()].concat(),
            ),
            ("objects 2,000 deep, unclosed", "{\"x\":".repeat(2_000).into()),
        ];
        for (name, text) in texts {
            let token = match part {
                "header" => K1.token_raw(&text, payload.as_bytes()),
                _ => K1.token_raw(header, &text),
            };
            table.token(format!("{part}: {name}"), token, MALFORMED);
        }
    }
    let closed = [
        &payload.as_bytes()[..payload.len() - 1],
        b",\"x\":",
        deep("[", "]", 10_000).as_bytes(),
        b"}",
    ]
    .concat();
    table.token("payload: arrays 10,000 deep, closed", K1.token_raw(header, &closed), TOO_LONG);
    let spaced = format!("{payload} \r\n\t");
    table.token(
        "JSON white space around the payload is JSON",
        K1.token_raw(header, spaced.as_bytes()),
        ALLOW,
    );
}
