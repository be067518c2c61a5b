//! Text for a terminal. What comes from a token or an event is printed through [`plain`].

use std::fmt::Write as _;

use serde_json::Value;

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";

/// How a step ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Passed,
    Refused,
    NoVerdict,
    NotReached,
}

pub(crate) struct Page {
    text: String,
    colour: bool,
}

impl Page {
    pub(crate) fn new(colour: bool) -> Self {
        Self { text: String::new(), colour }
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }

    pub(crate) fn heading(&mut self, text: &str) {
        let space = if self.text.is_empty() { "" } else { "\n" };
        let text = self.paint(BOLD, text);
        self.push(&format!("{space}{text}"));
    }

    pub(crate) fn line(&mut self, text: &str) {
        self.push(&format!("  {text}"));
    }

    pub(crate) fn note(&mut self, text: &str) {
        let text = self.paint(DIM, text);
        self.line(&text);
    }

    pub(crate) fn good(&mut self, text: &str) {
        let text = self.paint(GREEN, text);
        self.line(&text);
    }

    pub(crate) fn bad(&mut self, text: &str) {
        let text = self.paint(RED, text);
        self.line(&text);
    }

    pub(crate) fn pair(&mut self, name: &str, value: &Value) {
        if !value.is_null() {
            self.line(&format!("{name:<20} {}", plain(&value.to_string())));
        }
    }

    /// A document of the token, or word that it is none.
    pub(crate) fn json(&mut self, title: &str, document: Option<&Value>) {
        let title = self.paint(BOLD, title);
        let Some(document) = document else {
            return self.line(&format!("{title}: not a JSON object in base64url"));
        };
        self.line(&title);
        for line in serde_json::to_string_pretty(document).unwrap_or_default().lines() {
            self.line(&plain(line));
        }
    }

    pub(crate) fn step(&mut self, mark: Mark, code: &str, wanted: &str, found: &str) {
        let (word, colour) = match mark {
            Mark::Passed => ("ok", GREEN),
            Mark::Refused => ("REFUSED", RED),
            Mark::NoVerdict => ("UNKNOWN", YELLOW),
            Mark::NotReached => ("-", DIM),
        };
        let (word, code) = (self.paint(colour, &format!("{word:<7}")), format!("{code:<27}"));
        let code = if mark == Mark::NotReached { self.paint(DIM, &code) } else { code };
        let wanted = self.paint(DIM, wanted);
        self.line(&format!("{word} {code} {wanted}"));
        if mark != Mark::NotReached && !found.is_empty() {
            self.line(&format!("{:35} {}", "", plain(found)));
        }
    }

    pub(crate) fn verdict(&mut self, is_open: bool, request: &str, why: &str) {
        let word = if is_open { self.paint(GREEN, "open  ") } else { self.paint(RED, "closed") };
        let why = if why.is_empty() { String::new() } else { format!("  ({why})") };
        let why = self.paint(DIM, &why);
        self.line(&format!("{word} {request}{why}"));
    }

    fn push(&mut self, line: &str) {
        let _ = writeln!(self.text, "{}", line.trim_end());
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Text in which nothing drives the terminal: no control characters, and none that reorder or hide text.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' '..='~' => plain.push(c),
            _ => plain.extend(c.escape_debug()),
        }
    }
    plain
}
