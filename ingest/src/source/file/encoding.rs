//! Bytes → text. Agencies send UTF-8, UTF-8 with a byte order mark (spreadsheets), and GB18030 without any label.

use encoding_rs::{Decoder, DecoderResult, GB18030, UTF_8, UTF_16BE, UTF_16LE};

use crate::source::SourceError;

/// The encodings that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) enum Encoding {
    Utf8,
    /// GB18030-2022, which contains GBK and GB2312.
    Gb18030,
    /// Only with a byte order mark: what spreadsheets call "Unicode text".
    Utf16Le,
    Utf16Be,
}

impl Encoding {
    /// Name as recorded in a run.
    pub(in crate::source) fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Gb18030 => "GB18030",
            Self::Utf16Le => "UTF-16LE",
            Self::Utf16Be => "UTF-16BE",
        }
    }

    /// What `source.encoding` declares; none for `auto`.
    pub(in crate::source) fn declared(text: &str) -> Result<Option<Self>, SourceError> {
        match text.to_ascii_lowercase().as_str() {
            "auto" => Ok(None),
            "utf-8" | "utf8" => Ok(Some(Self::Utf8)),
            "gb18030" | "gbk" | "gb2312" => Ok(Some(Self::Gb18030)),
            _ => Err(SourceError::BadSetting {
                key: "encoding",
                value: text.into(),
                hint: "use `auto`, `utf-8` or `gb18030` (which contains GBK and GB2312)".into(),
            }),
        }
    }

    /// A byte order mark at the start of a content, and its length.
    fn mark(start: &[u8]) -> Option<(Self, usize)> {
        match start {
            [0xef, 0xbb, 0xbf, ..] => Some((Self::Utf8, 3)),
            [0xff, 0xfe, ..] => Some((Self::Utf16Le, 2)),
            [0xfe, 0xff, ..] => Some((Self::Utf16Be, 2)),
            [0x84, 0x31, 0x95, 0x33, ..] => Some((Self::Gb18030, 4)),
            _ => None,
        }
    }

    fn decoder(self) -> Decoder {
        match self {
            Self::Utf8 => UTF_8,
            Self::Gb18030 => GB18030,
            Self::Utf16Le => UTF_16LE,
            Self::Utf16Be => UTF_16BE,
        }
        .new_decoder_without_bom_handling()
    }
}

/// Characters beyond ASCII, valid as UTF-8, that prove a content to be UTF-8 even where a later byte is not. Chinese
/// text in GB18030 passes for one such character about once in six, so that sixteen in a row do not happen.
const PROOF_OF_UTF8: usize = 16;

/// Decides a content's encoding from the whole of it, in pieces.
#[derive(Debug, Default)]
pub(in crate::source) struct Detector {
    start: Vec<u8>,
    /// Bytes of a character that the last piece cut in two.
    carry: Vec<u8>,
    wide_characters: usize,
    invalid: bool,
}

impl Detector {
    /// Looks at the next piece.
    pub(in crate::source) fn push(&mut self, piece: &[u8]) {
        if self.start.len() < 4 {
            self.start.extend(piece.iter().take(4 - self.start.len()));
        }
        if self.invalid {
            return;
        }
        if self.carry.is_empty() {
            self.check(piece);
        } else {
            // The cut character is completed first, so that the piece itself need not be copied.
            let mut piece = piece;
            while !self.carry.is_empty() && !self.invalid {
                let Some((first, rest)) = piece.split_first() else { return };
                let mut cut = std::mem::take(&mut self.carry);
                cut.push(*first);
                piece = rest;
                self.check(&cut);
            }
            if !self.invalid {
                self.check(piece);
            }
        }
    }

    fn check(&mut self, bytes: &[u8]) {
        let valid = match std::str::from_utf8(bytes) {
            Ok(_) => bytes,
            Err(error) => {
                let (valid, rest) = bytes.split_at(error.valid_up_to());
                match error.error_len() {
                    None => self.carry = rest.to_vec(),
                    Some(_) => self.invalid = true,
                }
                valid
            }
        };
        if self.wide_characters < PROOF_OF_UTF8 {
            // Lead bytes only.
            self.wide_characters += valid.iter().filter(|byte| **byte >= 0xc0).count();
        }
    }

    /// The encoding: by byte order mark, else UTF-8 where all of it is or where it plainly was meant to be, else
    /// GB18030. A damaged UTF-8 file is not taken for GB18030, as which most of it would decode, to nonsense.
    pub(in crate::source) fn decide(&self) -> Encoding {
        let invalid = self.invalid || !self.carry.is_empty();
        match Encoding::mark(&self.start) {
            Some((encoding, _)) => encoding,
            None if invalid && self.wide_characters < PROOF_OF_UTF8 => Encoding::Gb18030,
            None => Encoding::Utf8,
        }
    }
}

/// Decodes a content piece by piece; bytes that mean nothing are an error and never a replacement character.
pub(in crate::source) struct TextDecoder {
    file: String,
    encoding: Encoding,
    decoder: Decoder,
    start: Option<Vec<u8>>,
    /// Bytes of the content that were decoded.
    position: u64,
    lines: u64,
}

impl TextDecoder {
    pub(in crate::source) fn new(file: &str, encoding: Encoding) -> Self {
        let start = Some(Vec::with_capacity(4));
        Self { file: file.into(), encoding, decoder: encoding.decoder(), start, position: 0, lines: 1 }
    }

    /// Appends the text of `piece` to `text`; `last` where the content ends with it.
    pub(in crate::source) fn decode(&mut self, piece: &[u8], last: bool, text: &mut String) -> Result<(), SourceError> {
        let Some(mut start) = self.start.take() else { return self.decode_after_mark(piece, last, text) };
        // The first four bytes are held back until it is known whether they are a byte order mark.
        let held = piece.len().min(4 - start.len());
        start.extend_from_slice(&piece[..held]);
        if start.len() < 4 && !last {
            self.start = Some(start);
            return Ok(());
        }
        let mark = match Encoding::mark(&start) {
            Some((encoding, length)) if encoding == self.encoding => length,
            _ => 0,
        };
        self.position = mark as u64;
        let ends_here = last && held == piece.len();
        self.decode_after_mark(&start[mark..], ends_here, text)?;
        if ends_here { Ok(()) } else { self.decode_after_mark(&piece[held..], last, text) }
    }

    fn decode_after_mark(&mut self, mut bytes: &[u8], last: bool, text: &mut String) -> Result<(), SourceError> {
        loop {
            let room = self.decoder.max_utf8_buffer_length_without_replacement(bytes.len()).unwrap_or(64 << 10);
            text.reserve(room);
            let before = text.len();
            let (outcome, read) = self.decoder.decode_to_string_without_replacement(bytes, text, last);
            self.lines += text.as_bytes()[before..].iter().filter(|byte| **byte == b'\n').count() as u64;
            self.position += read as u64;
            bytes = &bytes[read..];
            match outcome {
                DecoderResult::InputEmpty => return Ok(()),
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(length, after) => {
                    let back = u64::from(length) + u64::from(after);
                    return Err(SourceError::Undecodable {
                        path: self.file.clone(),
                        encoding: self.encoding.name().into(),
                        position: self.position.saturating_sub(back),
                        line: Some(self.lines),
                    });
                }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    fn detect(bytes: &[u8], piece: usize) -> Encoding {
        let mut detector = Detector::default();
        bytes.chunks(piece).for_each(|piece| detector.push(piece));
        detector.decide()
    }

    fn decode(bytes: &[u8], encoding: Encoding, piece: usize) -> Result<String, SourceError> {
        let (mut decoder, mut text) = (TextDecoder::new("a.csv", encoding), String::new());
        for piece in bytes.chunks(piece) {
            decoder.decode(piece, false, &mut text)?;
        }
        decoder.decode(&[], true, &mut text)?;
        Ok(text)
    }

    #[test]
    fn the_published_gb18030_vectors_decode_in_pieces_of_any_size() {
        let vectors: [(&[u8], &str); 9] = [
            (&[0xbc, 0xaa, 0xcf, 0xe9, 0xd4, 0xc6], "吉祥云"),
            (&[0xfd, 0x88], "龍"),
            (&[0xa1, 0xa4], "·"),
            (&[0xa2, 0xe3], "€"),
            (&[0x81, 0x39, 0xee, 0x39], "㐀"),
            (&[0x95, 0x32, 0x82, 0x36], "𠀀"),
            (b"ascii", "ascii"),
            (&[0x84, 0x31, 0x95, 0x33, 0xbc, 0xaa], "吉"),
            (b"", ""),
        ];
        for (bytes, text) in vectors {
            for piece in 1..=6 {
                assert_eq!(decode(bytes, Encoding::Gb18030, piece).unwrap(), text);
            }
        }
    }

    #[test]
    fn encodings_are_told_apart_by_the_whole_content() {
        let gb = [0xbc, 0xaa, 0xcf, 0xe9, 0xd4, 0xc6];
        for piece in 1..=7 {
            assert_eq!(detect("吉祥云,𠀀".as_bytes(), piece), Encoding::Utf8);
            assert_eq!(detect(b"\xef\xbb\xbfa,b", piece), Encoding::Utf8);
            assert_eq!(detect(&gb, piece), Encoding::Gb18030);
            assert_eq!(detect(b"\xff\xfea\0", piece), Encoding::Utf16Le);
            assert_eq!(detect(b"", piece), Encoding::Utf8);
            // ASCII for a long while, then GB18030.
            assert_eq!(detect(&[b"a,b\n".repeat(5000), gb.to_vec()].concat(), piece * 997), Encoding::Gb18030);
        }
    }

    #[test]
    fn a_damaged_utf8_file_is_an_error_with_its_place_and_not_gb18030() {
        let mut bytes = "名称,地址\n长春市南关区某某有限公司,人民大街\n".as_bytes().to_vec();
        let broken = bytes.len();
        bytes.extend_from_slice(&[0xe5, b',', b'x', b'\n']);
        assert_eq!(detect(&bytes, 5), Encoding::Utf8);
        for piece in [1, 3, 1000] {
            let error = decode(&bytes, Encoding::Utf8, piece).unwrap_err();
            let SourceError::Undecodable { position, line, .. } = &error else { panic!("{error}") };
            assert_eq!((*position, *line), (broken as u64, Some(3)), "{error}");
        }
        // A character that the end of the file cuts.
        assert!(decode(&bytes[..=broken], Encoding::Utf8, 4).is_err());
        assert!(decode(&[b'a', 0xff, b'b'], Encoding::Gb18030, 1).is_err());
    }

    #[test]
    fn marks_are_no_part_of_the_text() {
        assert_eq!(decode(b"\xef\xbb\xbfname", Encoding::Utf8, 2).unwrap(), "name");
        assert_eq!(decode(b"\xff\xfea\0\x09\x54", Encoding::Utf16Le, 1).unwrap(), "a吉");
        assert_eq!(
            decode(b"\xef\xbb", Encoding::Utf8, 9).unwrap_err().to_string(),
            "`a.csv` is not UTF-8 text: byte 0 cannot be decoded, on line 1"
        );
    }

    proptest::proptest! {
        #[test]
        fn every_text_survives_gb18030_and_utf8(text in "\\PC{0,60}", piece in 1usize..9) {
            proptest::prop_assume!(!text.starts_with('\u{feff}'));
            proptest::prop_assert_eq!(&decode(text.as_bytes(), Encoding::Utf8, piece).unwrap(), &text);
            let (bytes, _, lossy) = GB18030.encode(&text);
            proptest::prop_assume!(!lossy);
            let decoded = decode(&bytes, Encoding::Gb18030, piece).unwrap();
            let (whole, _) = GB18030.decode_without_bom_handling(&bytes);
            proptest::prop_assert_eq!(decoded, whole);
        }
    }
}
