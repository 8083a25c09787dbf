//! Templates in YAML: with what stands between `{{` and `}}` taken for a value, or on a line of its own for a comment, many a text is YAML.

use std::collections::HashMap;

use super::super::leaves::Document;
use super::super::leaves::outline::Directive;

/// The first of the characters that stand for templates: none of them has a meaning of its own, and each takes three bytes.
const FIRST: u32 = 0xe000;
/// How many of them there are.
const MAX_TEMPLATES: usize = 6_000;

/// What fills the mark of a template that ends a block.
const END: char = 'e';

/// Whether a line is the mark of a template that ends a block: it belongs to what is before it.
pub(super) fn is_end(line: &str) -> bool {
    let mut inside = line.chars().skip_while(|c| *c == '#');
    inside.next().is_some_and(|c| (FIRST..0xf900).contains(&u32::from(c))) && inside.next() == Some(END)
}

/// The templates of a file, each with what stands for it.
#[derive(Default)]
pub(super) struct Templates {
    /// By the template, and by what its mark begins with: the same one may be a value here, and have a line for itself there.
    marks: HashMap<(String, &'static str), String>,
}

impl Templates {
    /// Versions of a file with their templates out of the way. None where all are YAML as they are, or one is none without them either.
    pub(super) fn of<const N: usize>(versions: [&Document; N]) -> Option<(Self, Vec<Document>)> {
        let has_template = |document: &&Document| document.text().contains("{{");
        let is_utf8 = |document: &&Document| document.bytes().len() == document.text().len();
        let is_due = versions.iter().any(|document| !document.is_yaml());
        if !is_due || !versions.iter().any(has_template) || !versions.iter().all(is_utf8) {
            return None;
        }
        let mut found = Self::default();
        let masked: Vec<Document> = versions
            .iter()
            .map(|document| Some(Document::from(found.masked(document.text())?.as_str())))
            .collect::<Option<_>>()?;
        masked.iter().all(Document::is_yaml).then_some((found, masked))
    }

    /// A text in which a mark of the same length stands for each template. None where there are too many, or one is not closed on its line.
    fn masked(&mut self, text: &str) -> Option<String> {
        // A character that stands for a template must not be there already.
        if text.chars().any(|c| (FIRST..0xf900).contains(&u32::from(c))) {
            return None;
        }
        let mut out = String::with_capacity(text.len());
        for line in text.split_inclusive('\n') {
            let body = line.trim();
            if body.starts_with("{{") && body.ends_with("}}") && !body.contains(": ") {
                out.push_str(line.get(..line.len() - line.trim_start().len())?);
                out.push_str(&self.mark(body, "#")?);
                out.push_str(line.get(line.trim_end().len()..)?);
                continue;
            }
            let mut rest = line;
            while let Some(begin) = rest.find("{{") {
                let inside = rest.get(begin..)?;
                let end = begin + inside.find("}}")? + "}}".len();
                out.push_str(rest.get(..begin)?);
                out.push_str(&self.mark(rest.get(begin..end)?, "")?);
                rest = rest.get(end..)?;
            }
            out.push_str(rest);
        }
        Some(out)
    }

    fn mark(&mut self, template: &str, begin: &'static str) -> Option<String> {
        let number = self.marks.len();
        let key = (template.to_owned(), begin);
        if let Some(known) = self.marks.get(&key) {
            return Some(known.clone());
        }
        let character = u32::try_from(number).ok().and_then(|number| char::from_u32(FIRST + number))?;
        let fill = match Directive::of(template) {
            Some(Directive::GoesOn | Directive::Ends) => END,
            Some(Directive::Begins) | None => 'x',
        };
        let mut mark = format!("{begin}{character}");
        let missing = template.len().checked_sub(mark.len())?;
        mark.extend(std::iter::repeat_n(fill, missing));
        if number >= MAX_TEMPLATES {
            return None;
        }
        self.marks.insert(key, mark.clone());
        Some(mark)
    }

    /// A text with its templates again.
    pub(super) fn restored(&self, text: &str) -> String {
        if !text.chars().any(|c| u32::from(c) >= FIRST) {
            return text.to_owned();
        }
        self.marks.iter().fold(text.to_owned(), |text, ((template, _), mark)| text.replace(mark, template))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_yaml_without_its_templates_and_has_them_again() {
        for (text, is_yaml) in [
            ("a: {{ .x }}\nb: 1\n", true),
            ("a: {{ .x }}-{{ .y }}:{{ .x }}\n", true),
            ("{{- if .x }}\na: 1\n{{- end }}\n", true),
            ("a:\n  {{ if .x }}\n  b: {{ .y | quote }}\n  {{ end }}\n", true),
            ("{{ .x }}\na: {{ .x }}\n", true),
            ("a: {{}}\n", true),
            // Not closed on its line.
            ("a: {{ .x\n}}\n", false),
            ("a: {{ .x }}\nb: [\n", false),
        ] {
            let document = Document::from(text);
            let found = Templates::of([&document]);
            assert_eq!(found.is_some(), is_yaml, "{text}");
            if let Some((templates, masked)) = found {
                assert_eq!(masked[0].text().len(), text.len(), "{text}");
                assert_eq!(templates.restored(masked[0].text()), text);
            }
        }
        // It is YAML as it is.
        assert!(Templates::of([&Document::from("a: '{{ .x }}'\n")]).is_none());
        assert!(Templates::of([&Document::from("a: \u{e001} {{ .x }}\n")]).is_none());
    }
}
