//! The agent tells libgit2 before a push only two things of a server: where the ref is that the push moves, and that the server has the
//! parents of the new commit.
//!
//! libgit2 walks back from every ref that the server lists and the cache has, to find what the server has already. It goes on beyond what
//! the cache has of a ref that moved often lately, and then the push fails. What a commit of the agent is made on came from the
//! server, so nothing else need be known. The list is that of <https://git-scm.com/docs/gitprotocol-pack>; `.have` is its own word
//! for a commit that the server has.

use std::io::{self, Read, Write};

use git2::Oid;

use super::link::Stream;

const CHUNK_BYTES: usize = 16 << 10;
/// A ref that a server does not have, for what it can do.
const NO_REF: &str = "capabilities^{}";

/// A push that is about to be made.
#[derive(Clone, Debug)]
pub(in crate::adapters::git) struct Push {
    /// The full name of the ref.
    pub(in crate::adapters::git) reference: String,
    /// The commits that the new one is made on.
    pub(in crate::adapters::git) parents: Vec<Oid>,
}

/// A stream that begins with a list of refs, of which only what a push needs is given on.
pub(super) struct Advertised {
    inner: Stream,
    /// None once the list is over: what follows is given on as it is.
    list: Option<List>,
    /// What was made of the list and is not given on yet.
    ready: Vec<u8>,
}

/// A list that is being received.
struct List {
    push: Push,
    /// What was received and is not understood yet.
    received: Vec<u8>,
    /// Whether a line with the name of the service has come, which an empty one follows.
    is_announced: bool,
    /// What the server can do, from the first line.
    capabilities: Option<Vec<u8>>,
    /// Where the ref is, where it is there.
    tip: Option<Vec<u8>>,
}

impl Advertised {
    pub(super) fn new(inner: Stream, push: Push) -> Self {
        let list = List { push, received: Vec::new(), is_announced: false, capabilities: None, tip: None };
        Self { inner, list: Some(list), ready: Vec::new() }
    }
}

impl List {
    /// Takes what has come, and adds to what is given on. Says whether the list is over.
    fn take(&mut self, ready: &mut Vec<u8>) -> bool {
        loop {
            let Some(length) = self.received.get(..4) else { return false };
            let length = std::str::from_utf8(length).ok().and_then(|hex| usize::from_str_radix(hex, 16).ok());
            let line = match length {
                Some(0) => &[][..],
                Some(length) if length >= 4 => match self.received.get(..length) {
                    Some(line) => line,
                    None => return false,
                },
                // It is no list of refs: libgit2 says what is wrong with it.
                Some(_) | None => return true,
            };
            let line = line.to_vec();
            self.received.drain(..line.len().max(4));
            match line.get(4..) {
                None if self.is_announced => {
                    self.is_announced = false;
                    ready.extend(b"0000");
                }
                None => {
                    self.finish(ready);
                    return true;
                }
                Some(text) if text.starts_with(b"#") => {
                    self.is_announced = true;
                    ready.extend(line);
                }
                Some(text) => {
                    if !self.note(text) {
                        ready.extend(line);
                    }
                }
            }
        }
    }

    /// Takes note of a line with a ref. Says whether it is one.
    fn note(&mut self, line: &[u8]) -> bool {
        let (line, capabilities) = match line.iter().position(|byte| *byte == 0) {
            Some(end) => (line.get(..end).unwrap_or_default(), line.get(end + 1..)),
            None => (line, None),
        };
        let (id, name) = line.split_at_checked(40).unwrap_or((line, &[]));
        let Some(name) = name.strip_prefix(b" ").filter(|_| id.iter().all(u8::is_ascii_hexdigit)) else {
            return false;
        };
        if let Some(capabilities) = capabilities {
            self.capabilities = Some(capabilities.trim_ascii_end().to_vec());
        }
        if name.trim_ascii_end() == self.push.reference.as_bytes() {
            self.tip = Some(id.to_vec());
        }
        true
    }

    /// The list as it is given on, with its end.
    fn finish(&mut self, ready: &mut Vec<u8>) {
        let tip = self.tip.take().map(|id| [id.as_slice(), b" ", self.push.reference.as_bytes()].concat());
        let have = self.push.parents.iter().map(|id| format!("{id} .have").into_bytes());
        let mut lines: Vec<Vec<u8>> = tip.into_iter().chain(have).collect();
        if lines.is_empty() {
            lines.push(format!("{} {NO_REF}", Oid::ZERO_SHA1).into_bytes());
        }
        for mut line in lines {
            if let Some(capabilities) = self.capabilities.take() {
                line.push(0);
                line.extend(capabilities);
            }
            ready.extend(format!("{:04x}", line.len() + 5).bytes());
            ready.extend(line);
            ready.push(b'\n');
        }
        ready.extend(b"0000");
    }
}

impl Read for Advertised {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.ready.is_empty()
            && let Some(list) = &mut self.list
        {
            let old = list.received.len();
            list.received.resize(old + CHUNK_BYTES, 0);
            let read = self.inner.read(list.received.get_mut(old..).unwrap_or(&mut []));
            list.received.truncate(old + read.as_ref().map_or(0, |count| *count));
            let is_over = read? == 0 || list.take(&mut self.ready);
            if is_over && let Some(list) = self.list.take() {
                self.ready.extend(list.received);
            }
        }
        if self.ready.is_empty() {
            return self.inner.read(buffer);
        }
        let count = self.ready.as_slice().read(buffer)?;
        self.ready.drain(..count);
        Ok(count)
    }
}

impl Write for Advertised {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.inner.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::super::link::Slow;
    use super::*;

    const SERVICE: &str = "001f# service=git-receive-pack\n0000";

    fn id(digit: char) -> String {
        digit.to_string().repeat(40)
    }

    fn line(text: &str) -> String {
        format!("{:04x}{text}", text.len() + 4)
    }

    /// A list of refs as a server sends it, each with the digit of its id.
    fn list(refs: &[(char, &str)]) -> String {
        let mut list = String::new();
        for (place, (digit, name)) in refs.iter().enumerate() {
            let capabilities = if place == 0 { "\0report-status delete-refs\n" } else { "\n" };
            list += &line(&format!("{} {name}{capabilities}", id(*digit)));
        }
        list + "0000"
    }

    /// What is given on before a push to `main`, however few bytes come at once.
    fn given_on(list: &str, parents: &[char]) -> String {
        let parents = parents.iter().map(|digit| Oid::from_str(&id(*digit)).unwrap()).collect();
        let push = Push { reference: "refs/heads/main".to_owned(), parents };
        let read = |step: usize| {
            let slow = Box::new(Slow(list.as_bytes().to_vec(), step));
            let mut text = String::new();
            Advertised::new(slow, push.clone()).read_to_string(&mut text).unwrap();
            text
        };
        let text = read(1 << 20);
        assert!([1, 3, 50].into_iter().all(|step| read(step) == text), "{text}");
        text
    }

    #[test]
    fn only_the_ref_and_what_the_commit_is_made_on_are_given_on() {
        let all = [
            ('1', "refs/heads/a"),
            ('2', "refs/heads/main"),
            ('3', "refs/heads/main2"),
            ('4', "refs/notes/x"),
        ];
        let expected = list(&[('2', "refs/heads/main"), ('5', ".have"), ('6', ".have")]);
        assert_eq!(given_on(&list(&all), &['5', '6']), expected);
        // A server that is reached over HTTP says first what it serves; what follows the list is given on as it is.
        let over_http = format!("{SERVICE}{}and more", list(&all));
        assert_eq!(given_on(&over_http, &['5', '6']), format!("{SERVICE}{expected}and more"));
    }

    #[test]
    fn of_a_ref_that_is_not_there_only_the_parents_are_given_on() {
        let all = [('1', "refs/heads/a"), ('4', "refs/notes/x")];
        assert_eq!(given_on(&list(&all), &['5']), list(&[('5', ".have")]));
        assert_eq!(given_on(&list(&all), &[]), list(&[('0', NO_REF)]));
        assert_eq!(given_on(&list(&[('0', NO_REF)]), &[]), list(&[('0', NO_REF)]));
    }

    #[test]
    fn what_is_no_list_of_refs_is_given_on_as_it_is() {
        let error = line("ERR not today");
        let shallow = line(&format!("shallow {}", id('7')));
        assert_eq!(given_on(&error, &['5']), error);
        let have = line(&format!("{} .have\n", id('5')));
        assert_eq!(given_on(&format!("{shallow}0000"), &['5']), format!("{shallow}{have}0000"));
        for broken in ["", "00", "zzzz and so on", "0003", "<html>", "00ff cut off"] {
            assert_eq!(given_on(broken, &['5']), broken);
        }
    }
}
