//! The elements of an array in one document, however long: they are handed over as they are read.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::super::SourceError;
use super::super::file::{Content, Fingerprint, TextDecoder};
use super::row::{RowReader, RowText};
use super::{ROW_LIMIT_BYTES, bad};

/// Elements that the parser may be ahead of the rest.
const AHEAD: usize = 256;

/// Content bytes decoded at a time.
const PIECE_BYTES: usize = 256 << 10;

type Parsed = Result<Content, SourceError>;

/// The elements of an array. serde pushes what it parses, so a thread of its own parses; it ends when nobody takes its
/// elements any more.
pub(super) struct Elements {
    elements: Option<Receiver<Box<RawValue>>>,
    parser: Option<JoinHandle<Parsed>>,
    finished: Option<Content>,
    stored: Arc<AtomicU64>,
    name: String,
    number: u64,
}

impl Elements {
    /// The elements of the array at `pointer`.
    pub(super) fn open(content: Content, decoder: TextDecoder, name: &str, pointer: &str) -> Self {
        let (sender, receiver) = sync_channel(AHEAD);
        let stored = Arc::new(AtomicU64::new(0));
        let steps: Vec<String> =
            pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
        let (label, pointer, counted) = (name.to_owned(), pointer.to_owned(), Arc::clone(&stored));
        let parser = std::thread::spawn(move || parse(content, decoder, &label, &pointer, &steps, sender, counted));
        Self { elements: Some(receiver), parser: Some(parser), finished: None, stored, name: name.into(), number: 0 }
    }

    /// What became of the parser.
    fn join(&mut self) -> Result<(), SourceError> {
        self.elements = None;
        let Some(parser) = self.parser.take() else { return Ok(()) };
        match parser.join() {
            Ok(content) => self.finished = Some(content?),
            Err(_) => return Err(bad(&self.name, "its parser failed".into())),
        }
        Ok(())
    }
}

impl RowReader for Elements {
    fn next(&mut self) -> Result<Option<RowText>, SourceError> {
        match self.elements.as_ref().map(Receiver::recv) {
            Some(Ok(element)) => {
                self.number += 1;
                let text = Box::<str>::from(element).into_string();
                Ok(Some(RowText { text, line: self.number, fault: None }))
            }
            Some(Err(_)) => self.join().map(|()| None),
            None => Ok(None),
        }
    }

    fn stored_bytes(&self) -> u64 {
        self.stored.load(Ordering::Relaxed)
    }

    fn finish(mut self: Box<Self>) -> Result<Fingerprint, SourceError> {
        self.join()?;
        match self.finished {
            Some(content) => content.finish_again(),
            None => Err(bad(&self.name, "it was not read to its end".into())),
        }
    }
}

fn parse(
    content: Content,
    decoder: TextDecoder,
    name: &str,
    pointer: &str,
    steps: &[String],
    elements: SyncSender<Box<RawValue>>,
    stored: Arc<AtomicU64>,
) -> Parsed {
    let budget = Arc::new(AtomicUsize::new(0));
    let mut text = Decoded {
        content,
        decoder,
        piece: vec![0; PIECE_BYTES],
        text: String::new(),
        done: 0,
        ended: false,
        failure: None,
        since_element: Arc::clone(&budget),
        stored,
    };
    let mut is_found = false;
    let parsed = {
        let mut deserializer = serde_json::Deserializer::from_reader(&mut text);
        let seed = Walk { steps, elements: &elements, since_element: &budget, is_found: &mut is_found };
        seed.deserialize(&mut deserializer).and_then(|()| deserializer.end())
    };
    if let Some(failure) = text.failure {
        return Err(failure);
    }
    match parsed {
        Ok(()) if is_found => Ok(text.content),
        Ok(()) => {
            let place =
                if pointer.is_empty() { "it is no array".into() } else { format!("it has no array at `{pointer}`") };
            Err(bad(name, place))
        }
        // Nobody takes elements any more: whoever did has its reason.
        Err(error) if error.to_string().starts_with(NOBODY) => Ok(text.content),
        Err(error) => Err(bad(name, error.to_string())),
    }
}

const NOBODY: &str = "nobody reads on";

/// The content as UTF-8 bytes.
struct Decoded {
    content: Content,
    decoder: TextDecoder,
    piece: Vec<u8>,
    text: String,
    done: usize,
    ended: bool,
    failure: Option<SourceError>,
    /// Bytes that were read since the last element ended.
    since_element: Arc<AtomicUsize>,
    stored: Arc<AtomicU64>,
}

impl Read for Decoded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.done == self.text.len() && !self.ended {
            self.text.clear();
            self.done = 0;
            let read = self.content.read(&mut self.piece).and_then(|count| {
                self.ended = count == 0;
                self.decoder.decode(&self.piece[..count], self.ended, &mut self.text)
            });
            if let Err(error) = read {
                self.failure = Some(error);
                return Err(io::Error::other("the content cannot be read"));
            }
            self.stored.store(self.content.stored_bytes(), Ordering::Relaxed);
        }
        let rest = &self.text.as_bytes()[self.done..];
        let count = rest.len().min(buffer.len());
        if self.since_element.fetch_add(count, Ordering::Relaxed) > ROW_LIMIT_BYTES {
            return Err(io::Error::other(format!("a row has more than {ROW_LIMIT_BYTES} bytes")));
        }
        buffer[..count].copy_from_slice(&rest[..count]);
        self.done += count;
        Ok(count)
    }
}

/// Walks along the pointer to the array, and hands its elements over.
struct Walk<'a> {
    steps: &'a [String],
    elements: &'a SyncSender<Box<RawValue>>,
    since_element: &'a AtomicUsize,
    is_found: &'a mut bool,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of rows")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { steps, elements, since_element, is_found } = self;
        while let Some(key) = map.next_key::<String>()? {
            match steps.split_first() {
                Some((step, rest)) if *step == key => {
                    map.next_value_seed(Walk { steps: rest, elements, since_element, is_found: &mut *is_found })?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            since_element.store(0, Ordering::Relaxed);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        let Self { steps, elements, since_element, is_found } = self;
        if let Some((step, rest)) = steps.split_first() {
            let wanted = step.parse::<usize>().ok();
            let mut index = 0;
            loop {
                let more = if Some(index) == wanted {
                    let walk = Walk { steps: rest, elements, since_element, is_found: &mut *is_found };
                    sequence.next_element_seed(walk)?.is_some()
                } else {
                    sequence.next_element::<IgnoredAny>()?.is_some()
                };
                if !more {
                    return Ok(());
                }
                index += 1;
            }
        }
        *is_found = true;
        while let Some(element) = sequence.next_element::<Box<RawValue>>()? {
            since_element.store(0, Ordering::Relaxed);
            if elements.send(element).is_err() {
                return Err(A::Error::custom(NOBODY));
            }
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}
