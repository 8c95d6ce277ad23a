//! Bytes → text. Agencies send UTF-8, UTF-8 with a byte order mark (spreadsheets), and GB18030 without any label; now
//! and then UTF-16 ("Unicode text" of spreadsheets) and Big5.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{BIG5, Decoder, DecoderResult, GB18030, UTF_8, UTF_16BE, UTF_16LE};

use crate::source::SourceError;

/// The encodings that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) enum Encoding {
    Utf8,
    /// GB18030-2022, which contains GBK and GB2312.
    Gb18030,
    /// With the characters of Hong Kong.
    Big5,
    /// What spreadsheets call "Unicode text".
    Utf16Le,
    Utf16Be,
}

impl Encoding {
    /// Name as recorded in a run.
    pub(in crate::source) fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Gb18030 => "GB18030",
            Self::Big5 => "Big5",
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
            "big5" => Ok(Some(Self::Big5)),
            "utf-16le" => Ok(Some(Self::Utf16Le)),
            "utf-16be" => Ok(Some(Self::Utf16Be)),
            _ => Err(SourceError::BadSetting {
                key: "encoding",
                value: text.into(),
                hint:
                    "use `auto`, `utf-8`, `gb18030` (which contains GBK and GB2312), `big5`, `utf-16le` or `utf-16be`"
                        .into(),
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
            Self::Big5 => BIG5,
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
#[derive(Default)]
pub(in crate::source) struct Detector {
    start: Vec<u8>,
    /// Bytes of a character that the last piece cut in two.
    carry: Vec<u8>,
    wide_characters: usize,
    invalid: bool,
    /// A zero stands before the last of the characters that prove UTF-8.
    zero_before_proof: bool,
    zeros: Zeros,
    /// Only from the first byte on that is no UTF-8, so that it does not depend on the pieces: what stands before it is
    /// mostly the same in both encodings of Chinese.
    chinese: Option<Box<EncodingDetector>>,
}

impl std::fmt::Debug for Detector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Detector").field("invalid", &self.invalid).field("zeros", &self.zeros).finish_non_exhaustive()
    }
}

/// Where bytes of zero stand. UTF-16 writes one for every comma, digit and line end, always on the same side; a
/// content of another encoding has none, or a few strays.
#[derive(Debug, Default)]
struct Zeros {
    bytes: u64,
    even: u64,
    odd: u64,
}

impl Zeros {
    fn push(&mut self, piece: &[u8]) {
        if piece.contains(&0) {
            let starts_odd = !self.bytes.is_multiple_of(2);
            let first = piece.iter().step_by(2).filter(|byte| **byte == 0).count() as u64;
            let second = piece.iter().skip(1).step_by(2).filter(|byte| **byte == 0).count() as u64;
            let (even, odd) = if starts_odd { (second, first) } else { (first, second) };
            self.even += even;
            self.odd += odd;
        }
        self.bytes += piece.len() as u64;
    }

    /// UTF-16 where one byte in fifty is zero, and nine in ten of these stand on one side.
    fn utf16(&self) -> Option<Encoding> {
        let (even, odd) = (self.even, self.odd);
        if (even + odd) * 50 < self.bytes.max(1) {
            return None;
        }
        if even * 9 < odd {
            Some(Encoding::Utf16Le)
        } else if odd * 9 < even {
            Some(Encoding::Utf16Be)
        } else {
            None
        }
    }
}

impl Detector {
    /// Looks at the next piece.
    pub(in crate::source) fn push(&mut self, piece: &[u8]) {
        if self.start.len() < 4 {
            self.start.extend(piece.iter().take(4 - self.start.len()));
        }
        self.zeros.push(piece);
        self.check_all(piece);
    }

    fn feed(&mut self, bytes: &[u8]) {
        let fresh = || Box::new(EncodingDetector::new(Iso2022JpDetection::Deny));
        self.chinese.get_or_insert_with(fresh).feed(bytes, false);
    }

    fn check_all(&mut self, mut piece: &[u8]) {
        // Nothing behind the proof changes the decision.
        if self.wide_characters >= PROOF_OF_UTF8 {
            self.carry.clear();
            return;
        }
        // The cut character is completed first, so that the piece itself need not be copied.
        while !self.carry.is_empty() && !self.invalid {
            let Some((first, rest)) = piece.split_first() else { return };
            let mut cut = std::mem::take(&mut self.carry);
            cut.push(*first);
            piece = rest;
            self.check(&cut);
        }
        if self.invalid {
            self.feed(piece);
        } else {
            self.check(piece);
        }
    }

    fn check(&mut self, bytes: &[u8]) {
        let valid = match std::str::from_utf8(bytes) {
            Ok(_) => bytes,
            Err(error) => {
                let (valid, rest) = bytes.split_at(error.valid_up_to());
                match error.error_len() {
                    None => self.carry = rest.to_vec(),
                    Some(_) => {
                        self.invalid = true;
                        self.feed(rest);
                    }
                }
                valid
            }
        };
        self.count(valid);
    }

    /// Counts the wide characters of `valid`, up to the proof.
    fn count(&mut self, valid: &[u8]) {
        let Some(missing) = PROOF_OF_UTF8.checked_sub(self.wide_characters + 1) else { return };
        let is_lead = |byte: u8| byte >= 0xc0;
        let count = valid.iter().filter(|byte| is_lead(**byte)).count();
        // Only where the proof is in it: counting alone is many times faster than looking for a place.
        let proof = (count > missing)
            .then(|| valid.iter().enumerate().filter(|(_, byte)| is_lead(**byte)).nth(missing))
            .flatten();
        self.zero_before_proof |= valid[..proof.map_or(valid.len(), |(at, _)| at)].contains(&0);
        self.wide_characters += count;
    }

    /// The encoding where no byte behind those seen so far can change it: by byte order mark, or by the proof of UTF-8
    /// with no zero before it, of which UTF-16 has one for every comma, digit and line end.
    pub(in crate::source) fn certain(&self) -> Option<Encoding> {
        let is_proven = self.wide_characters >= PROOF_OF_UTF8 && !self.zero_before_proof;
        Encoding::mark(&self.start).map(|(encoding, _)| encoding).or(is_proven.then_some(Encoding::Utf8))
    }

    /// The encoding: what is certain; UTF-16 by its zeros; UTF-8 where all of it is or where it plainly was meant
    /// to be; else GB18030, or Big5 where the frequencies of its characters say so. A damaged UTF-8 file is not taken
    /// for GB18030, as which most of it would decode, to nonsense.
    pub(in crate::source) fn decide(&self) -> Encoding {
        let invalid = self.invalid || !self.carry.is_empty();
        if let Some(encoding) = self.certain() {
            return encoding;
        }
        if let Some(encoding) = self.zeros.utf16() {
            return encoding;
        }
        if !invalid || self.wide_characters >= PROOF_OF_UTF8 {
            return Encoding::Utf8;
        }
        let guess = self.chinese.as_ref().map(|chinese| chinese.guess(None, Utf8Detection::Deny));
        if guess == Some(BIG5) { Encoding::Big5 } else { Encoding::Gb18030 }
    }
}

/// Bytes that mean nothing in the content's encoding. In the text they stand as `\xNN`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) struct Damage {
    /// Where the first of these `\xNN` stands in the text that was handed to the decoder.
    pub(in crate::source) at: usize,
    /// Position of the first of the bytes in the decompressed content, from 0.
    pub(in crate::source) position: u64,
}

/// Bytes that a malformed sequence may reach back into what was decoded before.
const LOOK_BACK: usize = 8;

/// Decodes a content piece by piece; bytes that mean nothing never become a replacement character.
pub(in crate::source) struct TextDecoder {
    file: String,
    encoding: Encoding,
    decoder: Decoder,
    start: Option<Vec<u8>>,
    /// Bytes of the content that were decoded.
    position: u64,
    /// The last of them.
    behind: Vec<u8>,
    lines: u64,
}

impl TextDecoder {
    pub(in crate::source) fn new(file: &str, encoding: Encoding) -> Self {
        let (decoder, start) = (encoding.decoder(), Some(Vec::with_capacity(4)));
        Self { file: file.into(), encoding, decoder, start, position: 0, behind: Vec::new(), lines: 1 }
    }

    /// Appends the text of `piece` to `text`; `last` where the content ends with it.
    ///
    /// # Errors
    /// [`SourceError::Undecodable`] at the first bytes that mean nothing.
    pub(in crate::source) fn decode(&mut self, piece: &[u8], last: bool, text: &mut String) -> Result<(), SourceError> {
        let (before, mut damages) = (text.len(), Vec::new());
        self.decode_marking(piece, last, text, &mut damages);
        let end = damages.first().map_or(text.len(), |damage| damage.at);
        self.lines += text.as_bytes()[before..end].iter().filter(|byte| **byte == b'\n').count() as u64;
        match damages.first() {
            Some(damage) => Err(self.undecodable(damage.position, self.lines)),
            None => Ok(()),
        }
    }

    /// The error for bytes at `position`, on `line`.
    pub(in crate::source) fn undecodable(&self, position: u64, line: u64) -> SourceError {
        let (path, encoding) = (self.file.clone(), self.encoding.name().into());
        SourceError::Undecodable { path, encoding, position, line: Some(line) }
    }

    /// The encoding that it decodes.
    pub(in crate::source) fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Appends the text of `piece` to `text`, and where bytes in it mean nothing to `damages`.
    pub(in crate::source) fn decode_marking(
        &mut self,
        piece: &[u8],
        last: bool,
        text: &mut String,
        damages: &mut Vec<Damage>,
    ) {
        let Some(mut start) = self.start.take() else { return self.decode_after_mark(piece, last, text, damages) };
        // The first four bytes are held back until it is known whether they are a byte order mark.
        let held = piece.len().min(4 - start.len());
        start.extend_from_slice(&piece[..held]);
        if start.len() < 4 && !last {
            self.start = Some(start);
            return;
        }
        let mark = match Encoding::mark(&start) {
            Some((encoding, length)) if encoding == self.encoding => length,
            _ => 0,
        };
        self.position = mark as u64;
        let ends_here = last && held == piece.len();
        self.decode_after_mark(&start[mark..], ends_here, text, damages);
        if !ends_here {
            self.decode_after_mark(&piece[held..], last, text, damages);
        }
    }

    fn decode_after_mark(&mut self, bytes: &[u8], last: bool, text: &mut String, damages: &mut Vec<Damage>) {
        let mut done = 0;
        loop {
            let rest = &bytes[done..];
            let room = self.decoder.max_utf8_buffer_length_without_replacement(rest.len()).unwrap_or(64 << 10);
            text.reserve(room.min(rest.len() * 3 / 2 + 64));
            let (outcome, read) = self.decoder.decode_to_string_without_replacement(rest, text, last);
            done += read;
            match outcome {
                DecoderResult::InputEmpty => break,
                DecoderResult::OutputFull => text.reserve(room.min(64 << 10)),
                DecoderResult::Malformed(length, after) => {
                    let (length, after) = (usize::from(length), usize::from(after));
                    // Nothing is decoded of what was read behind it: the decoder hands that out on the next call.
                    let back = (length + after) as u64;
                    let position = (self.position + done as u64).saturating_sub(back);
                    damages.push(Damage { at: text.len(), position });
                    for byte in self.looked_back(&bytes[..done], length + after).take(length) {
                        text.push_str(&format!("\\x{byte:02X}"));
                    }
                }
            }
        }
        self.position += bytes.len() as u64;
        self.remember(bytes);
    }

    /// The last `count` bytes before the end of `read`, which may begin in an earlier piece.
    fn looked_back<'a>(&'a self, read: &'a [u8], count: usize) -> impl Iterator<Item = u8> + 'a {
        let earlier = count.saturating_sub(read.len()).min(self.behind.len());
        let here = count.min(read.len());
        self.behind[self.behind.len() - earlier..].iter().chain(&read[read.len() - here..]).copied()
    }

    fn remember(&mut self, bytes: &[u8]) {
        self.behind.extend_from_slice(&bytes[bytes.len().saturating_sub(LOOK_BACK)..]);
        let surplus = self.behind.len().saturating_sub(LOOK_BACK);
        self.behind.drain(..surplus);
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

    fn certain(bytes: &[u8], piece: usize) -> Option<Encoding> {
        let mut detector = Detector::default();
        bytes.chunks(piece).for_each(|piece| detector.push(piece));
        detector.certain()
    }

    #[test]
    fn a_start_is_certain_where_nothing_behind_it_can_change_the_encoding() {
        let proof = "吉祥云".repeat(6);
        let utf16: Vec<u8> = format!("名,{proof}\n").encode_utf16().flat_map(u16::to_le_bytes).collect();
        for piece in [1, 2, 3, 7, 1000] {
            assert_eq!(certain(proof.as_bytes(), piece), Some(Encoding::Utf8));
            assert_eq!(certain(&[proof.as_bytes(), b"\xff"].concat(), piece), Some(Encoding::Utf8));
            assert_eq!(certain(b"\xef\xbb\xbfa", piece), Some(Encoding::Utf8));
            assert_eq!(certain(b"\xfe\xff\0a", piece), Some(Encoding::Utf16Be));
            assert_eq!(certain(b"\x84\x31\x95\x33", piece), Some(Encoding::Gb18030));
            // GB18030 may follow.
            assert_eq!(certain(&b"a,b\n".repeat(1000), piece), None);
            assert_eq!(certain(&proof.as_bytes()[..15 * 3], piece), None);
            assert_eq!(certain(&[b"\xff", proof.as_bytes()].concat(), piece), None);
            // UTF-16 may be what it is.
            assert_eq!(certain(&[b"a\0", proof.as_bytes()].concat(), piece), None);
            assert_eq!(certain(&utf16, piece), None);
            // UTF-16 that is valid UTF-8 as well: `菜`, a comma, a digit and a line end, again and again.
            let valid = b"\xdc\x83,\x001\0\n\0".repeat(20);
            assert_eq!((certain(&valid, piece), detect(&valid, piece)), (None, Encoding::Utf16Le));
            // A tail of zeros does not make UTF-8 another encoding.
            assert_eq!(detect(&[proof.as_bytes(), &b"a\0".repeat(1000)].concat(), piece), Encoding::Utf8);
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

    proptest::proptest! {
        /// What a start is certain of, the whole is decided to be.
        #[test]
        fn what_is_certain_is_what_is_decided(
            start in proptest::collection::vec(proptest::sample::select(WORDS.to_vec()), 0..6),
            wide in 0_usize..20,
            rest in proptest::collection::vec(proptest::sample::select(WORDS.to_vec()), 0..60),
            cut in 0_usize..80,
            pieces in (1_usize..9, 1_usize..9),
        ) {
            let bytes = [start.concat(), "吉".repeat(wide).into_bytes(), rest.concat()].concat();
            let start = &bytes[..cut.min(bytes.len())];
            let found = certain(start, pieces.0);
            proptest::prop_assert_eq!(found, certain(start, pieces.1));
            if let Some(encoding) = found {
                proptest::prop_assert_eq!(detect(&bytes, pieces.1), encoding);
            }
        }
    }

    proptest::proptest! {
        /// What bytes mean does not depend on the pieces in which they come.
        #[test]
        fn pieces_do_not_matter(
            words in proptest::collection::vec(proptest::sample::select(WORDS.to_vec()), 0..12),
            sizes in proptest::collection::vec(1_usize..4, 1..6),
        ) {
            let bytes = words.concat();
            for encoding in [Encoding::Utf8, Encoding::Gb18030, Encoding::Big5, Encoding::Utf16Le, Encoding::Utf16Be] {
                let whole = marked(encoding, &[&bytes]);
                let mut pieces = Vec::new();
                let mut rest = bytes.as_slice();
                for size in sizes.iter().cycle() {
                    let (piece, behind) = rest.split_at((*size).min(rest.len()));
                    pieces.push(piece);
                    rest = behind;
                    if rest.is_empty() {
                        break;
                    }
                }
                proptest::prop_assert_eq!(marked(encoding, &pieces), whole, "{}", encoding.name());
            }
        }
    }

    const WORDS: [&[u8]; 16] = [
        b"a",
        b"\n",
        b"\xfe",
        b"\xff",
        b"\x81",
        b"\x30",
        b"\x84\x31\x95\x33",
        b"\xd8\x00",
        b"\x00\xd8",
        b"\x00",
        b"\xe5\x90",
        b"\x89",
        b"\xb3\xa4",
        b"\xf0\x9f\x98",
        b"\x80",
        b"r",
    ];

    fn marked(encoding: Encoding, pieces: &[&[u8]]) -> (String, Vec<(usize, u64)>) {
        let (mut text, mut damages) = (String::new(), Vec::new());
        let mut decoder = TextDecoder::new("a", encoding);
        for piece in pieces {
            decoder.decode_marking(piece, false, &mut text, &mut damages);
        }
        decoder.decode_marking(&[], true, &mut text, &mut damages);
        (text, damages.into_iter().map(|damage| (damage.at, damage.position)).collect())
    }
}
