//! Texts → the column chunk of a row group.

use std::io::Write;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int32Type;
use bytes::Bytes;
use parquet::basic::{BoundaryOrder, Compression, Encoding, PageType};
use parquet::bloom_filter::Sbbf;
use parquet::column::page::{CompressedPage, Page, PageWriteSpec, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{
    ColumnChunkMetaData, ColumnIndexBuilder, LevelHistogram, OffsetIndexBuilder, PageEncodingStats,
};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;
use zstd::bulk::Compressor;

use super::bounds::Bounds;
use super::dictionary::Dictionary;
use super::hybrid;
use crate::commit::statistics::{cut_down, cut_up};

/// Rows of a page: what a reader skips by the page index.
const PAGE_ROWS: usize = 20_000;

/// Rows that are taken in before the page's size is looked at.
const STEP_ROWS: usize = 1 << 10;

/// Bytes from which on a page is closed although it has fewer rows.
const PAGE_BYTES: usize = 1 << 20;

/// Bytes of a dictionary from which on texts are written as they are.
const DICTIONARY_BYTES: usize = 1 << 20;

/// Texts that tell whether a column's repeat.
const SAMPLE: usize = 1_000;

/// Of a hundred texts of the first page, those that may differ: more, and a dictionary is but a second copy.
const DIFFERENT_PERCENT: usize = 95;

/// Texts of a dictionary whose codes take a byte at the most.
const FEW_TEXTS: usize = 1 << 8;

/// Of a hundred bytes of codes, those that must not be left for the codes to be compressed.
const WORTHWHILE_PERCENT: usize = 75;

/// Encodes one column of text of one row group. Texts that repeat become codes of a dictionary; those that hardly do
/// are written as they are.
///
/// The library's encoder, which looks every text up and compares it with the least and the greatest so far, took a
/// quarter of a load. Here a text that lies between the two costs a comparison of eight bytes, and one that has a code
/// none.
pub(super) struct TextColumn {
    descriptor: ColumnDescPtr,
    compression: Compression,
    /// The pages of data, which stand behind the dictionary's.
    data: TrackedWrite<Vec<u8>>,
    /// None once it has become too large, or is of no use.
    dictionary: Option<Dictionary>,
    /// The dictionary's page, where no more codes are given.
    closed: Option<ClosedDictionary>,
    page: OpenPage,
    pages: Vec<ClosedPage>,
    has_statistics: bool,
    bounds: Bounds,
    bloom: Option<(Sbbf, f64)>,
    uncompressed_bytes: usize,
}

struct ClosedDictionary {
    page: CompressedPage,
    bytes: usize,
}

/// A page that takes texts in.
#[derive(Default)]
struct OpenPage {
    rows: usize,
    /// Whether each row has a text; empty as long as all have one.
    levels: Vec<u32>,
    codes: Vec<u32>,
    /// Texts behind their lengths.
    plain: Vec<u8>,
    texts: usize,
    text_bytes: usize,
    bounds: Bounds,
}

struct ClosedPage {
    spec: PageWriteSpec,
    encoding: Encoding,
    rows: usize,
    nulls: usize,
    text_bytes: usize,
    bounds: Option<ShortBounds>,
}

/// A short text that is not greater than any of a page's, and one that is not less, unless no such one exists: long texts
/// are not kept for each page.
struct ShortBounds {
    low: Vec<u8>,
    high: Option<Vec<u8>>,
}

impl TextColumn {
    pub(super) fn new(descriptor: ColumnDescPtr, properties: &WriterProperties) -> Result<Self> {
        let path = descriptor.path();
        let bloom = match properties.bloom_filter_properties(path) {
            Some(filter) => Some((Sbbf::new_with_ndv_fpp(filter.ndv(), filter.fpp())?, filter.fpp())),
            None => None,
        };
        Ok(Self {
            compression: properties.compression(path),
            data: TrackedWrite::new(Vec::new()),
            dictionary: Some(Dictionary::default()),
            closed: None,
            page: OpenPage::default(),
            pages: Vec::new(),
            has_statistics: properties.statistics_enabled(path) != EnabledStatistics::None,
            bounds: Bounds::default(),
            bloom,
            uncompressed_bytes: 0,
            descriptor,
        })
    }

    /// Bytes that the chunk would have, were it closed now and what is open not compressed.
    pub(super) fn bytes(&self) -> usize {
        let dictionary = self.dictionary.as_ref().map_or(0, Dictionary::bytes);
        let closed = self.closed.as_ref().map_or(0, |closed| closed.bytes);
        self.data.bytes_written() + dictionary + closed + self.page.plain.len() + self.page.codes.len()
    }

    /// Takes in texts, plain or of a dictionary.
    pub(super) fn write(&mut self, column: &dyn Array, compressor: &mut Compressor<'_>) -> Result<()> {
        if let Some(texts) = column.as_string_opt::<i32>() {
            return match texts.null_count() {
                0 => self.write_all(texts.len(), |row| Some(texts.value(row)), compressor),
                _ => self.write_all(texts.len(), |row| texts.is_valid(row).then(|| texts.value(row)), compressor),
            };
        }
        let encoded = column.as_dictionary_opt::<Int32Type>();
        let texts = encoded.and_then(|column| column.values().as_string_opt::<i32>());
        let (Some(encoded), Some(texts)) = (encoded, texts) else {
            return Err(ParquetError::General(format!("{} is no text", column.data_type())));
        };
        let text = |row| encoded.key(row).filter(|key| texts.is_valid(*key)).map(|key| texts.value(key));
        self.write_all(column.len(), text, compressor)
    }

    fn write_all<'a>(
        &mut self,
        rows: usize,
        text: impl Fn(usize) -> Option<&'a str> + Copy,
        compressor: &mut Compressor<'_>,
    ) -> Result<()> {
        let mut from = 0;
        while from < rows {
            let to = rows.min(from + STEP_ROWS).min(from + PAGE_ROWS - self.page.rows);
            let texts = (from..to).filter_map(|row| Some(text(row)?.as_bytes()));
            let before = self.page.texts;
            self.push(texts);
            self.page.mark(to - from, self.page.texts - before, |row| text(from + row).is_some());
            if self.is_full() {
                self.close_page(compressor)?;
            }
            from = to;
        }
        Ok(())
    }

    fn push<'a>(&mut self, texts: impl Iterator<Item = &'a [u8]> + Clone) {
        let page = &mut self.page;
        for text in texts.clone() {
            page.texts += 1;
            page.text_bytes += text.len();
        }
        if let Some(dictionary) = &mut self.dictionary {
            dictionary.codes(texts, &mut page.codes);
            return;
        }
        for text in texts {
            page.plain.extend_from_slice(&(text.len() as u32).to_le_bytes());
            page.plain.extend_from_slice(text);
            if self.has_statistics {
                page.bounds.push(text);
            }
            if let Some((bloom, _)) = &mut self.bloom {
                bloom.insert(text);
            }
        }
    }

    fn is_full(&self) -> bool {
        let is_large = self.dictionary.as_ref().is_some_and(|dictionary| dictionary.bytes() >= DICTIONARY_BYTES);
        self.page.rows >= PAGE_ROWS || self.page.plain.len() >= PAGE_BYTES || is_large
    }

    fn close_page(&mut self, compressor: &mut Compressor<'_>) -> Result<()> {
        if self.page.rows == 0 {
            return Ok(());
        }
        let may_miss = self.descriptor.max_def_level() > 0;
        if !may_miss && self.page.texts < self.page.rows {
            let column = self.descriptor.path();
            return Err(ParquetError::General(format!("column `{column}` misses values and may not")));
        }
        if let Some(dictionary) = &self.dictionary {
            let is_useless = dictionary.len() * 100 > self.page.texts * DIFFERENT_PERCENT;
            if self.pages.is_empty() && is_useless && self.page.texts >= SAMPLE {
                self.give_up_dictionary();
            }
        }
        let mut page = std::mem::take(&mut self.page);
        let mut content = Vec::with_capacity(page.plain.len() + 2 * page.codes.len() + page.levels.len() / 8 + 16);
        page.levels_into(may_miss, &mut content);
        let encoding = match &self.dictionary {
            Some(dictionary) => {
                let width = hybrid::width_of(dictionary.len());
                content.push(width);
                hybrid::encode(&page.codes, width, &mut content);
                if self.has_statistics {
                    page.bound_codes(dictionary);
                }
                Encoding::RLE_DICTIONARY
            }
            None => {
                content.extend_from_slice(&page.plain);
                Encoding::PLAIN
            }
        };
        let buf = self.compressed_data(&content, compressor)?;
        let data = Page::DataPage {
            buf,
            num_values: page.rows as u32,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let spec = SerializedPageWriter::new(&mut self.data).write_page(CompressedPage::new(data, content.len()))?;
        self.uncompressed_bytes += spec.uncompressed_size;
        let bounds = page.bounds.get().map(|(least, greatest)| {
            self.bounds.push(least);
            self.bounds.push(greatest);
            ShortBounds { low: shorter(least), high: longer(greatest) }
        });
        let (rows, nulls, text_bytes) = (page.rows, page.rows - page.texts, page.text_bytes);
        self.pages.push(ClosedPage { spec, encoding, rows, nulls, text_bytes, bounds });
        page.clear();
        self.page = page;
        if self.dictionary.as_ref().is_some_and(|dictionary| dictionary.bytes() >= DICTIONARY_BYTES) {
            self.close_dictionary(compressor)?;
        }
        Ok(())
    }

    /// The content of a data page, compressed. Codes of few texts are packed already: where the first page becomes hardly
    /// smaller, the chunk is left as it is, and no reader spends its time on it.
    fn compressed_data(&mut self, content: &[u8], compressor: &mut Compressor<'_>) -> Result<Bytes> {
        if self.compression == Compression::UNCOMPRESSED {
            return Ok(Bytes::copy_from_slice(content));
        }
        let buf = compress(content, compressor)?;
        let has_few = self.dictionary.as_ref().is_some_and(|dictionary| dictionary.len() <= FEW_TEXTS);
        if self.pages.is_empty() && has_few && buf.len() * 100 > content.len() * WORTHWHILE_PERCENT {
            self.compression = Compression::UNCOMPRESSED;
            return Ok(Bytes::copy_from_slice(content));
        }
        Ok(buf)
    }

    /// Writes the texts of the first page as they are.
    fn give_up_dictionary(&mut self) {
        let Some(dictionary) = self.dictionary.take() else { return };
        let codes = std::mem::take(&mut self.page.codes);
        (self.page.texts, self.page.text_bytes) = (0, 0);
        self.push(codes.iter().map(|code| dictionary.text(*code)));
    }

    /// No more codes are given; those of pages that are closed remain.
    fn close_dictionary(&mut self, compressor: &mut Compressor<'_>) -> Result<()> {
        let Some(dictionary) = self.dictionary.take() else { return Ok(()) };
        if let Some((bloom, _)) = &mut self.bloom {
            dictionary.texts().for_each(|text| bloom.insert(text));
        }
        let (num_values, page) = (dictionary.len() as u32, dictionary.into_page());
        let size = page.len();
        let buf = match self.compression {
            Compression::UNCOMPRESSED => Bytes::from(page),
            _ => compress(&page, compressor)?,
        };
        let bytes = buf.len();
        let dictionary = Page::DictionaryPage { buf, num_values, encoding: Encoding::PLAIN, is_sorted: false };
        self.closed = Some(ClosedDictionary { page: CompressedPage::new(dictionary, size), bytes });
        Ok(())
    }

    /// The chunk's bytes, and what the file's footer and indexes say of them.
    pub(super) fn close(mut self, compressor: &mut Compressor<'_>) -> Result<(Bytes, ColumnCloseResult)> {
        self.close_page(compressor)?;
        self.close_dictionary(compressor)?;
        let mut chunk = TrackedWrite::new(Vec::with_capacity(self.data.bytes_written()));
        let mut stats = Vec::new();
        if let Some(ClosedDictionary { page, .. }) = self.closed.take() {
            let (page_type, encoding) = (PageType::DICTIONARY_PAGE, page.encoding());
            let spec = SerializedPageWriter::new(&mut chunk).write_page(page)?;
            self.uncompressed_bytes += spec.uncompressed_size;
            stats.push(PageEncodingStats { page_type, encoding, count: 1 });
        }
        let dictionary_bytes = chunk.bytes_written();
        let has_dictionary = dictionary_bytes > 0;
        let data = std::mem::replace(&mut self.data, TrackedWrite::new(Vec::new())).into_inner()?;
        chunk.write_all(&data)?;
        let bytes = Bytes::from(chunk.into_inner()?);
        for page in &self.pages {
            match stats.last_mut() {
                Some(last) if last.page_type == PageType::DATA_PAGE && last.encoding == page.encoding => {
                    last.count += 1;
                }
                _ => {
                    stats.push(PageEncodingStats { page_type: PageType::DATA_PAGE, encoding: page.encoding, count: 1 })
                }
            }
        }
        let rows = self.pages.iter().map(|page| page.rows as u64).sum();
        let mut encodings = vec![Encoding::RLE];
        encodings.extend(stats.iter().map(|stats| stats.encoding));
        let mut metadata = ColumnChunkMetaData::builder(self.descriptor.clone())
            .set_compression(self.compression)
            .set_encodings(encodings)
            .set_page_encoding_stats(stats)
            .set_total_compressed_size(bytes.len() as i64)
            .set_total_uncompressed_size(self.uncompressed_bytes as i64)
            .set_num_values(rows as i64)
            .set_data_page_offset(dictionary_bytes as i64)
            .set_dictionary_page_offset(has_dictionary.then_some(0));
        if self.has_statistics {
            let text_bytes: usize = self.pages.iter().map(|page| page.text_bytes).sum();
            let pages = || self.pages.iter().map(|page| (page.rows, page.nulls));
            metadata = metadata
                .set_statistics(self.statistics())
                .set_unencoded_byte_array_data_bytes(Some(text_bytes as i64))
                .set_definition_level_histogram(self.histogram(pages()));
        }
        let bloom_filter = self.bloom.take().map(|(mut bloom, false_positives)| {
            bloom.fold_to_target_fpp(false_positives);
            bloom
        });
        let close = ColumnCloseResult {
            bytes_written: bytes.len() as u64,
            rows_written: rows,
            metadata: metadata.build()?,
            bloom_filter,
            column_index: self.column_index().map(ColumnIndexBuilder::build).transpose()?,
            offset_index: Some(self.offset_index(dictionary_bytes).build()),
        };
        Ok((bytes, close))
    }

    /// As much of the bounds as the log says.
    fn statistics(&self) -> Statistics {
        let nulls = self.pages.iter().map(|page| page.nulls as u64).sum();
        let (least, greatest) = self.bounds.get().unzip();
        let (low, high) = (least.map(shorter), greatest.and_then(longer));
        let (low_exact, high_exact) = (low.as_deref() == least, high.as_deref() == greatest);
        let statistics =
            ValueStatistics::new(low.map(ByteArray::from), high.map(ByteArray::from), None, Some(nulls), false)
                .with_min_is_exact(least.is_some() && low_exact)
                .with_max_is_exact(greatest.is_some() && high_exact);
        Statistics::ByteArray(statistics)
    }

    /// How many rows have a text and how many have none; nothing where all must have one.
    fn histogram(&self, pages: impl Iterator<Item = (usize, usize)>) -> Option<LevelHistogram> {
        let mut histogram = LevelHistogram::try_new(self.descriptor.max_def_level())?;
        for (rows, nulls) in pages {
            histogram.increment_by(0, nulls as i64);
            histogram.increment_by(1, (rows - nulls) as i64);
        }
        Some(histogram)
    }

    /// The bounds of each page; nothing where one has none that is short.
    fn column_index(&self) -> Option<ColumnIndexBuilder> {
        if !self.has_statistics {
            return None;
        }
        let mut index = ColumnIndexBuilder::new(self.descriptor.physical_type());
        let (mut last, mut rises, mut falls) = (None::<(&Vec<u8>, &Vec<u8>)>, true, true);
        for page in &self.pages {
            index.append_histograms(&None, &self.histogram(std::iter::once((page.rows, page.nulls))));
            let Some(ShortBounds { low, high }) = &page.bounds else {
                index.append(true, Vec::new(), Vec::new(), page.nulls as i64);
                continue;
            };
            let high = high.as_ref()?;
            index.append(false, low.clone(), high.clone(), page.nulls as i64);
            if let Some((low_before, high_before)) = last.replace((low, high)) {
                rises &= low_before <= low && high_before <= high;
                falls &= low_before >= low && high_before >= high;
            }
        }
        index.set_boundary_order(match (rises, falls) {
            (true, _) => BoundaryOrder::ASCENDING,
            (false, true) => BoundaryOrder::DESCENDING,
            (false, false) => BoundaryOrder::UNORDERED,
        });
        Some(index)
    }

    fn offset_index(&self, dictionary_bytes: usize) -> OffsetIndexBuilder {
        let mut index = OffsetIndexBuilder::new();
        for page in &self.pages {
            let offset = page.spec.offset as i64 + dictionary_bytes as i64;
            index.append_row_count(page.rows as i64);
            index.append_offset_and_size(offset, page.spec.compressed_size as i32);
            index.append_unencoded_byte_array_data_bytes(Some(page.text_bytes as i64));
        }
        index
    }
}

impl OpenPage {
    /// Takes in which of `rows` more rows have one of the `texts` that came last.
    fn mark(&mut self, rows: usize, texts: usize, has_text: impl Fn(usize) -> bool) {
        if texts < rows && self.levels.is_empty() {
            self.levels.resize(self.rows, 1);
        }
        if texts < rows || !self.levels.is_empty() {
            self.levels.extend((0..rows).map(|row| u32::from(has_text(row))));
        }
        self.rows += rows;
    }

    /// Appends which rows have a text, where a row may have none.
    fn levels_into(&self, may_miss: bool, content: &mut Vec<u8>) {
        if !may_miss {
            return;
        }
        let at = content.len();
        content.extend_from_slice(&[0; size_of::<u32>()]);
        match self.levels.is_empty() {
            true => hybrid::repeat(1, self.rows, 1, content),
            false => hybrid::encode(&self.levels, 1, content),
        }
        let bytes = (content.len() - at - size_of::<u32>()) as u32;
        content[at..at + size_of::<u32>()].copy_from_slice(&bytes.to_le_bytes());
    }

    /// The bounds of texts that are in a dictionary: each is looked at once.
    fn bound_codes(&mut self, dictionary: &Dictionary) {
        let mut seen = vec![false; dictionary.len()];
        for code in &self.codes {
            if !std::mem::replace(&mut seen[*code as usize], true) {
                self.bounds.push(dictionary.text(*code));
            }
        }
    }

    /// Empties it and keeps its room.
    fn clear(&mut self) {
        (self.rows, self.texts, self.text_bytes) = (0, 0, 0);
        self.levels.clear();
        self.codes.clear();
        self.plain.clear();
        self.bounds.clear();
    }
}

fn compress(content: &[u8], compressor: &mut Compressor<'_>) -> Result<Bytes> {
    Ok(Bytes::from(compressor.compress(content)?))
}

/// A text that is not greater and not long.
fn shorter(text: &[u8]) -> Vec<u8> {
    std::str::from_utf8(text).map_or_else(|_| text.to_vec(), |text| cut_down(text).into_bytes())
}

/// A text that is not less and not long, where there is one.
fn longer(text: &[u8]) -> Option<Vec<u8>> {
    std::str::from_utf8(text).map_or_else(|_| Some(text.to_vec()), |text| cut_up(text).map(String::into_bytes))
}
