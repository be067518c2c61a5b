//! OpenAPI documents in one file, or in several that refer to each other.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde_json::Value;

use crate::document::{parse, read};

/// More references than this, one leading to the next, are a circle.
const MAX_REFERENCES: usize = 32;

/// A document, and those that it refers to.
pub(crate) struct Documents {
    files: RefCell<HashMap<PathBuf, Rc<Value>>>,
    main: Node,
}

/// A place in a document.
#[derive(Clone)]
pub(crate) struct Node {
    file: PathBuf,
    document: Rc<Value>,
    pointer: String,
}

impl Documents {
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        let document =
            Rc::new(parse(&read(path)?).map_err(|error| format!("{}: {error}", path.display()))?);
        let main =
            Node { file: path.to_owned(), document: Rc::clone(&document), pointer: String::new() };
        let files = HashMap::from([(real_path(path), document)]);
        Ok(Self { files: RefCell::new(files), main })
    }

    pub(crate) fn main(&self) -> Node {
        self.main.clone()
    }

    /// Where the references at this place lead, nearest first; the place itself is the first.
    pub(crate) fn follow(&self, node: &Node) -> Result<Vec<Node>, String> {
        let mut nodes = vec![node.clone()];
        loop {
            let last = &nodes[nodes.len() - 1];
            let Some(reference) = last.value()["$ref"].as_str() else { return Ok(nodes) };
            if nodes.len() > MAX_REFERENCES {
                return Err(format!("`$ref` {reference} leads back to itself"));
            }
            let next = self.resolve(last, reference)?;
            nodes.push(next);
        }
    }

    fn resolve(&self, from: &Node, reference: &str) -> Result<Node, String> {
        let (file, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let pointer = decode(fragment);
        let (file, document) = if file.is_empty() {
            (from.file.clone(), Rc::clone(&from.document))
        } else if file.contains("://") {
            return Err(format!("`$ref` {reference}: only files are read; bundle the document"));
        } else {
            let folder = from.file.parent().unwrap_or(Path::new(""));
            let path = folder.join(decode(file));
            let document = self.file(&path)?;
            (path, document)
        };
        let node = Node { file, document, pointer };
        match node.document.pointer(&node.pointer) {
            Some(_) => Ok(node),
            None => Err(format!("`$ref` {reference} leads nowhere")),
        }
    }

    fn file(&self, path: &Path) -> Result<Rc<Value>, String> {
        // A file has many paths, such as `a/../b` and `b`. It is read once.
        let real_path = real_path(path);
        if let Some(document) = self.files.borrow().get(&real_path) {
            return Ok(Rc::clone(document));
        }
        let named = |problem: &str| format!("{}, which a `$ref` names: {problem}", path.display());
        let metadata = fs::metadata(path).map_err(|error| named(&error.to_string()))?;
        // A device or a pipe may never end.
        if !metadata.is_file() {
            return Err(named("is not a file"));
        }
        let text = fs::read_to_string(path).map_err(|error| named(&error.to_string()))?;
        let document =
            Rc::new(parse(&text).map_err(|error| format!("{}: {error}", path.display()))?);
        self.files.borrow_mut().insert(real_path, Rc::clone(&document));
        Ok(document)
    }
}

impl Node {
    pub(crate) fn value(&self) -> &Value {
        self.document.pointer(&self.pointer).unwrap_or(&Value::Null)
    }

    /// A member of this place, if it is there.
    pub(crate) fn member(&self, name: &str) -> Option<Self> {
        self.value().get(name)?;
        let name = name.replace('~', "~0").replace('/', "~1");
        Some(Self { pointer: format!("{}/{name}", self.pointer), ..self.clone() })
    }
}

/// The path without links and detours; as it is, if there is no such file.
fn real_path(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Undoes percent-encoding (RFC 3986 section 2.1), which a fragment and a path may have.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let byte = (bytes[at] == b'%')
            .then(|| u8::from_str_radix(text.get(at + 1..at + 3)?, 16).ok())
            .flatten();
        decoded.push(byte.unwrap_or(bytes[at]));
        at += if byte.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
