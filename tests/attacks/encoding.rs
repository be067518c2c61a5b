//! Base64url that is not quite that.

use super::*;

#[test]
fn each_gets_exactly_its_reason() {
    check(encoding);
}

fn encoding(table: &mut Table) {
    table.group("padding, white space, other alphabets, stray bits in each segment");
    // Lengths that leave trailing bits, and signatures with a `-` or `_` somewhere, as nearly all have.
    let token = (0..)
        .map(|n| {
            let header = format!(r#"{{"alg":"RS256","kid":"k1"}}{}"#, " ".repeat(n % 3));
            let payload = format!("{}{}", claims(), " ".repeat(n / 3 % 3));
            K1.token_raw(header.as_bytes(), payload.as_bytes())
        })
        .find(|token| token.split('.').all(|segment| segment.len() % 4 >= 2))
        .unwrap();
    table.token("as it is", token.clone(), ALLOW);
    let parts: Vec<&str> = token.split('.').collect();
    for (index, name) in ["header", "payload", "signature"].into_iter().enumerate() {
        let segment = parts[index];
        let with = |segment: &str| {
            let mut parts = parts.clone();
            parts[index] = segment;
            parts.join(".")
        };
        let (start, end) = segment.split_at(segment.len() / 2);
        let changes = [
            ("padded", segment.to_owned() + &"=".repeat(4 - segment.len() % 4)),
            ("padded once", format!("{segment}=")),
            ("padded in full", format!("{segment}====")),
            ("padded in percent", format!("{segment}%3D")),
            ("padding before", format!("={segment}")),
            ("padding within", format!("{start}={end}")),
            ("form feed before", format!("\u{c}{segment}")),
            ("space after", format!("{segment} ")),
            ("space within", format!("{start} {end}")),
            ("tab within", format!("{start}\t{end}")),
            ("LF within", format!("{start}\n{end}")),
            ("LF after", format!("{segment}\n")),
            ("CR LF within", format!("{start}\r\n{end}")),
            ("vertical tab within", format!("{start}\u{b}{end}")),
            ("no-break space within", format!("{start}\u{a0}{end}")),
            ("zero-width space within", format!("{start}\u{200b}{end}")),
            ("byte order mark before", format!("\u{feff}{segment}")),
            ("NUL within", format!("{start}\0{end}")),
            ("NUL after", format!("{segment}\0")),
            ("+ within", format!("{}+{}", &start[1..], end)),
            ("/ within", format!("{}/{}", &start[1..], end)),
            ("fullwidth letter within", format!("{}\u{ff21}{end}", &start[1..])),
            (
                "one letter more",
                format!("{segment}A{}", if segment.len() % 4 == 3 { "A" } else { "AA" }),
            ),
            ("stray bits", stray_bits(segment)),
            ("cut to an impossible length", segment[..segment.len() / 4 * 4 - 3].to_owned()),
            ("empty", String::new()),
        ];
        for (change, segment) in changes {
            table.token(format!("{name}: {change}"), with(&segment), MALFORMED);
        }
    }
}
