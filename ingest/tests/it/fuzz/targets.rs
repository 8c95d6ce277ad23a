//! The decoders, each with sound files to begin with and with what its format is made of.

use std::path::Path;

use super::packing::Packing;

pub(super) struct Target {
    pub(super) name: &'static str,
    pub(super) ending: &'static str,
    /// Declarations of the source, without its path.
    pub(super) sources: &'static [&'static str],
    pub(super) seeds: fn() -> Vec<Vec<u8>>,
    pub(super) words: &'static [&'static [u8]],
    pub(super) packing: Packing,
    /// Its content is decoded piece by piece, and must be the same whatever the pieces are.
    pub(super) in_pieces: bool,
    /// `infer` knows the ending.
    pub(super) is_guessed: bool,
}

const CSV: &[&str] = &[
    "kind = \"csv\"",
    "kind = \"csv\"\nencoding = \"utf-8\"",
    "kind = \"csv\"\nencoding = \"gb18030\"\ndelimiter = \";\"",
    "kind = \"csv\"\nencoding = \"big5\"\nquote = \"'\"",
    "kind = \"csv\"\nencoding = \"utf-16le\"\ndelimiter = \"\\t\"",
    "kind = \"csv\"\nencoding = \"utf-16be\"\nragged = \"pad\"",
    "kind = \"csv\"\nheader = 3\nfooter = \"注：\"\nragged = \"pad\"\nfold_names = true\nduplicate_names = \"number\"",
    "kind = \"csv\"\nheader = \"none\"\ncolumns = [\"a\", \"b\", \"c\"]\nskip_lines = 1\nfooter = 2\ncomment = \"#\"",
    "kind = \"csv\"\nquote = \"none\"\nnull_values = [\"NA\", \"-\"]\nfooter = 1",
];

const CSV_WORDS: &[&[u8]] = &[
    b"\"",
    b"\"\"",
    b"\"\n",
    b"\n\"",
    b",\"",
    b"\",",
    b"\r",
    b"\r\n",
    b"\n",
    b"\n\n",
    b",",
    b";",
    b"\t",
    b"'",
    b"#",
    b"\0",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xfe\xff",
    b"\x84\x31\x95\x33",
    b"\x81",
    b"\xff",
    b"\xe5\x90",
    b"\x81\x30",
    b"\xd8\x00",
    b"\x00\xd8",
    b"\xe6\xb3\xa8\xef\xbc\x9a",
    b"\x22\x00",
    b"\x0a\x00",
    b"\x00\x0a",
    b"NA",
];

const JSON_WORDS: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"\\u0000",
    b"\\ud800",
    b"\\",
    b":",
    b",",
    b"null",
    b"1e999",
    b"-0",
    b"true",
    b"\n",
    b"{\"a\":",
    b"[[[[[[[[",
    b"\xef\xbb\xbf",
    b"\xff",
    b"\0",
    b"\"features\"",
    b"\"geometry\"",
    b"12345678901234567890123",
];

const XML_WORDS: &[&[u8]] = &[
    b"<",
    b">",
    b"</",
    b"/>",
    b"<a>",
    b"</a>",
    b"<!--",
    b"-->",
    b"<![CDATA[",
    b"]]>",
    b"<?",
    b"?>",
    b"&",
    b"&amp;",
    b"&#0;",
    b"&#x110000;",
    b"&lol;",
    b"<!DOCTYPE a [",
    b"<!ENTITY",
    b" x=\"",
    b"'",
    b"xmlns:a=\"b\"",
    b"a:nil=\"true\"",
    b"<?xml version=\"1.0\" encoding=\"utf-16\"?>",
    b"encoding=\"gb18030\"",
    b"\0",
    b"\xff\xfe",
    b"</c></row><row r=\"99999999\"><c r=\"XFD1048577\"><v>1</v></c></row>",
    b"uniqueCount=\"4294967295\"",
    b"table:number-columns-repeated=\"2147483647\"",
    b"table:number-rows-repeated=\"2147483647\"",
    b"t=\"s\"",
    b"<mergeCell ref=\"A1:XFD1048576\"/>",
    b"<dimension ref=\"A1:XFD1048576\"/>",
    b"4294967296",
];

const PATHS: &[&[u8]] = &[b"../", b"/", b"a.csv", b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"ustar", b"\0", b"./"];

const NONE: &[&[u8]] = &[];

pub(super) const ALL: &[Target] = &[
    text("csv", "csv", CSV, csv, CSV_WORDS),
    text(
        "json",
        "json",
        &["kind = \"json\"", "kind = \"json\"\nrecords = \"/data/rows\"\nflatten = true"],
        json,
        JSON_WORDS,
    ),
    text(
        "ndjson",
        "ndjson",
        &["kind = \"json\"", "kind = \"json\"\nflatten = true\nnull_values = [\"x\"]"],
        ndjson,
        JSON_WORDS,
    ),
    Target { is_guessed: true, ..text("geojson", "geojson", &["kind = \"geojson\""], geojson, JSON_WORDS) },
    text(
        "xml",
        "xml",
        &["kind = \"xml\"", "kind = \"xml\"\nrow = \"i\"", "kind = \"xml\"\nrow = \"/r/i\"\nencoding = \"utf-8\""],
        xml,
        XML_WORDS,
    ),
    binary("xlsx", EXCEL, || fixtures("xlsx"), XML_WORDS, Packing::Zip),
    binary("xls", EXCEL, || fixtures("xls"), NONE, Packing::None),
    binary("ods", EXCEL, || fixtures("ods"), XML_WORDS, Packing::Zip),
    binary("parquet", &["kind = \"parquet\""], || fixtures("parquet"), NONE, Packing::None),
    binary("arrow", &["kind = \"arrow\""], || [fixtures("feather"), fixtures("arrows")].concat(), NONE, Packing::None),
    binary("avro", &["kind = \"avro\""], || fixtures("avro"), AVRO_WORDS, Packing::None),
    binary(
        "sqlite",
        &["kind = \"sqlite\"\ntable = \"t\"", "kind = \"sqlite\"\nquery = \"select * from t where a > 1\""],
        sqlite,
        NONE,
        Packing::None,
    ),
    packed("zip", "zip", Packing::Zip, &["kind = \"csv\"", "kind = \"json\"\nentries = \"*.json\""]),
    packed("tar", "tar", Packing::Tar, &["kind = \"csv\"", "kind = \"json\"\nentries = \"*.json\""]),
    packed("gzip", "csv.gz", Packing::Gzip, &["kind = \"csv\""]),
    packed("zstd", "csv.zst", Packing::Zstd, &["kind = \"csv\""]),
    packed("bzip2", "csv.bz2", Packing::Bzip2, &["kind = \"csv\""]),
    packed("xz", "csv.xz", Packing::Xz, &["kind = \"csv\""]),
];

const EXCEL: &[&str] = &[
    "kind = \"excel\"",
    "kind = \"excel\"\nsheet = \"*\"\nsheet_column = \"sheet\"\nduplicate_names = \"number\"\nheader_rows = 2",
    "kind = \"excel\"\nheader = \"none\"\ncolumns = [\"a\", \"b\", \"c\"]\nfill_merged = true\nfooter = 1",
];

const AVRO_WORDS: &[&[u8]] = &[
    b"\"null\"",
    b"{\"type\":\"array\",\"items\":\"null\"}",
    b"\"string\"",
    b"avro.codec",
    b"avro.schema",
    b"snappy",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\x80\x80\x80\x80\x10",
    b"{\"type\":\"fixed\",\"name\":\"f\",\"size\":2147483647}",
    b"\"decimal\"",
    b"\"precision\":400",
    b"\"logicalType\":\"duration\"",
];

const fn text(
    name: &'static str,
    ending: &'static str,
    sources: &'static [&'static str],
    seeds: fn() -> Vec<Vec<u8>>,
    words: &'static [&'static [u8]],
) -> Target {
    let is_guessed = matches!(ending.as_bytes(), b"csv" | b"xml");
    Target { name, ending, sources, seeds, words, packing: Packing::None, in_pieces: true, is_guessed }
}

const fn binary(
    name: &'static str,
    sources: &'static [&'static str],
    seeds: fn() -> Vec<Vec<u8>>,
    words: &'static [&'static [u8]],
    packing: Packing,
) -> Target {
    let is_guessed = !matches!(name.as_bytes(), b"sqlite");
    Target { name, ending: name, sources, seeds, words, packing, in_pieces: false, is_guessed }
}

const fn packed(
    name: &'static str,
    ending: &'static str,
    packing: Packing,
    sources: &'static [&'static str],
) -> Target {
    let seeds: fn() -> Vec<Vec<u8>> = match packing {
        Packing::Zip => || archives(Packing::Zip),
        Packing::Tar => || archives(Packing::Tar),
        Packing::Gzip => || compressed(Packing::Gzip),
        Packing::Zstd => || compressed(Packing::Zstd),
        Packing::Bzip2 => || compressed(Packing::Bzip2),
        Packing::Xz => || compressed(Packing::Xz),
        Packing::None => csv,
    };
    let is_guessed = !matches!(packing, Packing::Zip | Packing::Tar);
    Target { name, ending, sources, seeds, words: PATHS, packing, in_pieces: false, is_guessed }
}

fn csv() -> Vec<Vec<u8>> {
    let text = "企业名称,金额（万元）,登记日期\n\"长春市, \"\"一\"\" 厂\",1.50,2024-03-07\r\n吉林,NA,\n\n#注,2,3\n\"两\n行\",4,5\n合计,5.5,\n注：合成\n";
    let above = format!("表一\n单位：元\n{text}");
    let mut seeds =
        vec![text.into(), format!("\u{feff}{text}").into_bytes(), above.into(), text.replace(',', ";").into()];
    seeds.push(text.replace(',', "\t").replace('"', "'").into());
    seeds.push(encoding_rs::GB18030.encode(text).0.into_owned());
    seeds.push(encoding_rs::BIG5.encode(&text.replace('厂', "廠")).0.into_owned());
    seeds.push(text.encode_utf16().flat_map(u16::to_le_bytes).collect());
    seeds.push(format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_be_bytes).collect());
    // Plain enough for its rows to be counted.
    seeds.push(b"a,b,c\n1,2,3\n4,5,6\n\n7,8,9\n".to_vec());
    seeds
}

fn ndjson() -> Vec<Vec<u8>> {
    let lines = "{\"a\":1,\"b\":\"长春\",\"c\":{\"d\":[1,2,{\"e\":null}]}}\n{\"a\":1.50,\"b\":\"\\u4e00\\n\"}\n\n{\"b\":true}\n";
    vec![lines.into(), encoding_rs::GB18030.encode(lines).0.into_owned(), b"{\"a\":1}\n{\"a\":2}\n".to_vec()]
}

fn json() -> Vec<Vec<u8>> {
    let rows = "[{\"a\":1,\"b\":\"长春\",\"c\":{\"d\":[1,2]}},\n {\"a\":123456789012345678901234567890.5,\"b\":null}]";
    let nested = format!("{{\"ok\":true,\"data\":{{\"total\":2,\"rows\":{rows},\"more\":[1]}}}}");
    let utf16 = rows.encode_utf16().flat_map(u16::to_le_bytes).collect();
    vec![rows.into(), nested.into(), utf16]
}

fn geojson() -> Vec<Vec<u8>> {
    let text = "{\"type\":\"FeatureCollection\",\"features\":[{\"type\":\"Feature\",\"properties\":{\"adcode\":\"220100\",\
                \"name\":\"长春市\",\"lon\":125.3200,\"tags\":[\"a\"]},\"geometry\":{\"type\":\"Point\",\"coordinates\":[125.3,43.80]}},\
                {\"type\":\"Feature\",\"properties\":null,\"geometry\":null}]}";
    vec![text.into(), encoding_rs::GB18030.encode(text).0.into_owned()]
}

fn xml() -> Vec<Vec<u8>> {
    let rows = "<i id='1' x:nil='false' xmlns:x='y'><日>2024年3月7日</日><n>1 &lt; 2 &#x4e00;</n><n>b</n></i>\n\
                <i id=\"2\"><![CDATA[a<b]]><!-- c --><e/></i>";
    let text = format!("<?xml version='1.0' encoding='gb18030'?>\n<r>{rows}</r>");
    vec![format!("<r>{rows}</r>").into(), encoding_rs::GB18030.encode(&text).0.into_owned()]
}

fn sqlite() -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sqlite");
    let connection = rusqlite::Connection::open(&path).unwrap();
    let rows = "PRAGMA page_size = 512; CREATE TABLE t (a, b TEXT, c BLOB); CREATE INDEX i ON t (a);
        WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 40)
        INSERT INTO t SELECT x, '长春' || x, zeroblob(x * 20) FROM n;
        INSERT INTO t VALUES (1.5, NULL, 'x'), (9e99, '', x'ff');";
    connection.execute_batch(rows).unwrap();
    drop(connection);
    vec![std::fs::read(&path).unwrap()]
}

fn parts() -> Vec<(String, Vec<u8>)> {
    let (csv, json) = (csv(), json());
    vec![("b/一.csv".into(), csv[0].clone()), ("a.csv".into(), csv[5].clone()), ("c.json".into(), json[0].clone())]
}

fn archives(packing: Packing) -> Vec<Vec<u8>> {
    let whole = packing.pack(&parts()).unwrap();
    let only_csv = packing.pack(&parts()[..1]).unwrap();
    let mut seeds = vec![whole.clone(), only_csv];
    if packing == Packing::Tar {
        seeds.push(Packing::Gzip.pack(&[(String::new(), whole)]).unwrap());
    }
    seeds
}

fn compressed(packing: Packing) -> Vec<Vec<u8>> {
    let packed = |bytes: &[u8]| packing.pack(&[(String::new(), bytes.to_vec())]).unwrap();
    let csv = csv();
    let two = [packed(&csv[0]), packed(&csv[9])].concat();
    vec![packed(&csv[0]), packed(&csv[5]), two, packed(&csv[0].repeat(500))]
}

/// Files that other libraries wrote.
fn fixtures(ending: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/formats");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == ending));
    paths.sort();
    assert!(!paths.is_empty(), "no fixture ends in .{ending}");
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}
