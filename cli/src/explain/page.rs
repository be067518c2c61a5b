//! Text for a terminal. What comes from a token or an event is printed through [`plain`].

use std::fmt::Write as _;

use serde_json::Value;
use token_authorizer::{Check, CheckState};

use crate::outcome::plain;

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";

pub(super) struct Page {
    text: String,
    colour: bool,
}

impl Page {
    pub(super) fn new(colour: bool) -> Self {
        Self { text: String::new(), colour }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    pub(super) fn heading(&mut self, text: &str) {
        let space = if self.text.is_empty() { "" } else { "\n" };
        let text = self.paint(BOLD, text);
        self.push(&format!("{space}{text}"));
    }

    pub(super) fn line(&mut self, text: &str) {
        self.push(&format!("  {text}"));
    }

    pub(super) fn note(&mut self, text: &str) {
        let text = self.paint(DIM, text);
        self.line(&text);
    }

    pub(super) fn good(&mut self, text: &str) {
        let text = self.paint(GREEN, text);
        self.line(&text);
    }

    pub(super) fn bad(&mut self, text: &str) {
        let text = self.paint(RED, text);
        self.line(&text);
    }

    pub(super) fn warn(&mut self, text: &str) {
        let text = self.paint(YELLOW, &format!("warning: {text}"));
        self.line(&format!("       {text}"));
    }

    pub(super) fn pair(&mut self, name: &str, value: &Value) {
        if !value.is_null() {
            self.line(&format!("{name:<20} {}", plain(&value.to_string())));
        }
    }

    /// A document of the token.
    pub(super) fn json(&mut self, title: &str, document: &Value) {
        let title = self.paint(BOLD, title);
        self.line(&title);
        for line in serde_json::to_string_pretty(document).unwrap_or_default().lines() {
            self.line(&plain(line));
        }
    }

    pub(super) fn check(&mut self, Check { reason, state }: &Check, why: &[String]) {
        let (word, colour) = match state {
            CheckState::Passed => ("ok", GREEN),
            CheckState::Failed => ("REFUSED", RED),
            CheckState::Undecided => ("UNKNOWN", YELLOW),
            CheckState::NotReached => ("-", DIM),
        };
        let is_reached = *state != CheckState::NotReached;
        let word = self.paint(colour, &format!("{word:<7}"));
        let code =
            if is_reached { reason.code().to_owned() } else { self.paint(DIM, reason.code()) };
        self.line(&format!("{word} {code}"));
        for why in why {
            self.line(&format!("{:7} {}", "", plain(why)));
        }
    }

    pub(super) fn verdict(&mut self, is_open: bool, request: &str, why: &str) {
        let word = if is_open { self.paint(GREEN, "open  ") } else { self.paint(RED, "closed") };
        let why = if why.is_empty() { String::new() } else { format!("  ({why})") };
        let why = self.paint(DIM, &why);
        self.line(&format!("{word} {request}{why}"));
    }

    fn push(&mut self, line: &str) {
        let _ = writeln!(self.text, "{}", line.trim_end());
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}
