//! Test results in the XML that CI systems read, after JUnit's.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use crate::cases::Tested;
use crate::outcome::plain;

/// The results as one suite.
pub(crate) fn xml(tested: &[Tested]) -> Vec<u8> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    // Writing to memory does not fail.
    let _ = write(&mut writer, tested);
    let mut xml = writer.into_inner();
    xml.push(b'\n');
    xml
}

fn write(writer: &mut Writer<Vec<u8>>, tested: &[Tested]) -> io::Result<()> {
    let total = tested.len().to_string();
    let failed = tested.iter().filter(|one| one.failure().is_some()).count().to_string();
    let counts = [("tests", total.as_str()), ("failures", failed.as_str()), ("errors", "0")];
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let suites = writer.create_element("testsuites").with_attributes(counts);
    suites.write_inner_content(|writer| {
        let suite = writer.create_element("testsuite");
        let suite = suite.with_attribute(("name", "authorizer")).with_attributes(counts);
        suite.write_inner_content(|writer| {
            for one in tested {
                case(writer, one)?;
            }
            Ok(())
        })?;
        Ok(())
    })?;
    Ok(())
}

fn case(writer: &mut Writer<Vec<u8>>, one: &Tested) -> io::Result<()> {
    // XML has no control characters, not even escaped ones.
    let name = plain(&format!("{}: {}", one.name, one.request));
    let case = writer.create_element("testcase");
    let case = case.with_attributes([("classname", "authorizer"), ("name", name.as_str())]);
    let Some(failure) = one.failure() else {
        case.write_empty()?;
        return Ok(());
    };
    let failure = plain(&failure);
    case.write_inner_content(|writer| {
        let element = writer.create_element("failure");
        let element = element.with_attribute(("message", failure.as_str()));
        element.write_text_content(BytesText::new(&failure))?;
        Ok(())
    })?;
    Ok(())
}
