//! What a server sends as text, made into valid UTF-8.
//!
//! The git2 crate panics on names of refs and on refusals that are not UTF-8, and one branch named in Latin-1 would
//! end the agent. So in the parts of the protocol that are text, bytes that are not UTF-8 are replaced one by one,
//! which leaves every length as it is.

use std::io::{self, Read, Write};

use super::link::Stream;

/// What a byte that is not UTF-8 becomes: a character that a ref's name may have.
const REPLACEMENT: u8 = b'!';
const CHUNK_BYTES: usize = 16 << 10;

/// Which part of a stream is text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    /// All of it.
    All,
    /// The list of refs, which comes before anything is written; packs follow.
    UntilWritten,
}

/// A stream that reads as valid UTF-8 where it is text.
pub(super) struct TextStream {
    inner: Stream,
    text: Option<Text>,
    /// Bytes that were received and are not given on yet; the first `ready` of them are valid.
    buffer: Vec<u8>,
    ready: usize,
}

impl TextStream {
    pub(super) fn new(inner: Stream, text: Text) -> Self {
        Self { inner, text: Some(text), buffer: Vec::new(), ready: 0 }
    }

    /// Receives more and makes it valid, but for a character that is cut off at the end.
    fn receive(&mut self) -> io::Result<()> {
        let old = self.buffer.len();
        self.buffer.resize(old + CHUNK_BYTES, 0);
        let read = self.inner.read(self.buffer.get_mut(old..).unwrap_or(&mut []));
        self.buffer.truncate(old + read.as_ref().map_or(0, |count| *count));
        let ended = read? == 0;
        self.ready = make_valid(&mut self.buffer, ended);
        Ok(())
    }
}

/// Replaces what is not UTF-8 and returns how many bytes are valid: all but a cut-off character, unless the text has
/// `ended`.
fn make_valid(bytes: &mut [u8], ended: bool) -> usize {
    let mut valid = 0;
    loop {
        let rest = bytes.get_mut(valid..).unwrap_or(&mut []);
        let Err(error) = std::str::from_utf8(rest) else { return bytes.len() };
        let start = error.valid_up_to();
        let length = match error.error_len() {
            Some(length) => length,
            None if ended => rest.len() - start,
            None => return valid + start,
        };
        rest.iter_mut().skip(start).take(length).for_each(|byte| *byte = REPLACEMENT);
        valid += start + length;
    }
}

impl Read for TextStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.text.is_none() && self.buffer.is_empty() {
            return self.inner.read(buffer);
        }
        while self.text.is_some() && self.ready == 0 {
            let old = self.buffer.len();
            self.receive()?;
            if self.ready == 0 && self.buffer.len() == old {
                return Ok(0);
            }
        }
        let count = self.buffer.get(..self.ready).unwrap_or(&[]).read(buffer)?;
        self.buffer.drain(..count);
        self.ready -= count;
        Ok(count)
    }
}

impl Write for TextStream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if self.text == Some(Text::UntilWritten) {
            self.text = None;
            self.ready = self.buffer.len();
        }
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

    proptest::proptest! {
        #[test]
        fn text_becomes_valid_and_keeps_its_length(
            bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60), step in 1_usize..5,
        ) {
            let mut read = Vec::new();
            let slow = Box::new(Slow(bytes.clone(), step));
            TextStream::new(slow, Text::All).read_to_end(&mut read).unwrap();
            proptest::prop_assert_eq!(read.len(), bytes.len());
            proptest::prop_assert!(std::str::from_utf8(&read).is_ok());
            if std::str::from_utf8(&bytes).is_ok() {
                proptest::prop_assert_eq!(read, bytes);
            }
        }
    }

    #[test]
    fn packs_after_the_list_of_refs_are_left_alone() {
        let bytes = b"caf\xe9 m\xc3\xbcnchen 0000\xff\xfe\x80".to_vec();
        let mut stream = TextStream::new(Box::new(Slow(bytes, 17)), Text::UntilWritten);
        let mut list = [0; 17];
        stream.read_exact(&mut list).unwrap();
        assert_eq!(&list, "caf! münchen 000".as_bytes());
        stream.write_all(b"want").unwrap();
        let mut pack = Vec::new();
        stream.read_to_end(&mut pack).unwrap();
        assert_eq!(pack, b"0\xff\xfe\x80");
    }
}
