#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::fs;

use xiangyun_engine::project::{Diagnostics, Project};

use super::*;
use crate::Declarations;

async fn of(files: &[(&str, &[u8])], path: &str) -> (tempfile::TempDir, Result<Inferred>) {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    let options = InferOptions {
        root: folder.path().to_path_buf(),
        path: path.into(),
        table: None,
        rows: 10_000,
        today: NaiveDate::from_ymd_opt(2026, 1, 1).unwrap(),
    };
    let inferred = tokio::task::spawn_blocking(move || infer(&options)).await.unwrap();
    (folder, inferred)
}

const FILE: &str = "企业名称,统一社会信用代码,注册日期,地区代码,注册资金（万元）,是否在业,编号,备注\n\
    长春欧亚集团股份有限公司,9122010112403662XM,2019年3月26日,220101,\"1,000.50\",是,007,\n\
    修正药业集团股份有限公司,91220501244585084W,2019/3/27,220500,30,否,008,N/A\n\
    中车长春轨道客车股份有限公司,91220000735902224D,2019-03-28,220000,0.5,是,009,老\n";

/// What is inferred, with the blanks that a person has to fill in left as they are, is a sound project.
async fn is_sound(folder: &tempfile::TempDir, inferred: &Inferred) -> (Project, Declarations) {
    let root = folder.path();
    fs::create_dir_all(root.join("tables")).unwrap();
    fs::create_dir_all(root.join("pipelines")).unwrap();
    fs::write(root.join("tables/t.toml"), &inferred.contract).unwrap();
    fs::write(root.join("pipelines/p.toml"), &inferred.pipeline_file).unwrap();
    let mut diagnostics = Diagnostics::default();
    let project = Project::load(root, &mut diagnostics);
    let declarations = Declarations::load(&project, &mut diagnostics);
    let faults: Vec<_> = diagnostics.iter().map(|fault| fault.message.clone()).collect();
    assert_eq!(faults, [] as [String; 0], "{}\n{}", inferred.contract, inferred.pipeline_file);
    (project, declarations)
}

#[tokio::test]
async fn a_chinese_register_becomes_a_sound_contract() {
    let gb18030 = encoding_rs::GB18030.encode(FILE).0.into_owned();
    for bytes in [FILE.as_bytes().to_vec(), gb18030] {
        let (folder, inferred) = of(&[("register.csv", &bytes)], "register.csv").await;
        let inferred = inferred.unwrap();
        let (project, declarations) = is_sound(&folder, &inferred).await;
        let table = &project.tables[0].def;
        let found: Vec<_> = table
            .columns
            .iter()
            .map(|column| (column.name.as_str(), column.column_type.to_string(), column.nullable))
            .collect();
        let expected = [
            ("name", "text", false),
            ("uscc", "text", false),
            ("registered_on", "date", false),
            ("region_code", "text", false),
            ("registered_capital", "decimal(18,2)", false),
            ("column_6", "boolean", false),
            ("number", "text", false),
            ("remark", "text", true),
        ];
        assert_eq!(found, expected.map(|(name, column_type, nullable)| (name, column_type.to_owned(), nullable)));
        assert_eq!(table.columns[1].code_list, Some(xiangyun_engine::catalog::CodeList::Uscc));
        assert_eq!(table.columns[4].unit.as_deref(), Some("万元"));
        assert_eq!(table.primary_key, ["uscc"]);
        let SourceDef::Csv(csv) = &declarations.pipelines[0].def.source else { panic!("a CSV") };
        assert_eq!(csv.null_values, ["N/A"]);
        assert_eq!(declarations.pipelines[0].def.columns["uscc"], "统一社会信用代码");
    }
}

#[tokio::test]
async fn codes_stay_text_and_na_is_missing_only_among_numbers() {
    let text = "code\tamount\tbig\tsmall\nNA\t1.5\t12345678901234567\t1\n01\tNA\t1\t2\n02\t3\t2\t3\n";
    let (folder, inferred) = of(&[("a.tsv", text.as_bytes())], "a.tsv").await;
    let (project, declarations) = is_sound(&folder, &inferred.unwrap()).await;
    let types: Vec<_> = project.tables[0].def.columns.iter().map(|column| column.column_type.to_string()).collect();
    assert_eq!(types, ["text", "decimal(18,1)", "text", "int64"]);
    assert!(!project.tables[0].def.columns[0].nullable, "NA is a code here");
    let SourceDef::Csv(csv) = &declarations.pipelines[0].def.source else { panic!("a CSV") };
    assert_eq!((csv.delimiter, csv.null_values.as_slice()), ('\t', ["NA".to_owned()].as_slice()));
}

/// The header says what parts its columns, whatever the file is packed in and its rows hold.
#[tokio::test]
async fn the_delimiter_is_that_of_the_header() {
    use std::io::Write;
    // 企业,范围 in GB18030, rows with semicolons, and a second byte that is `|` elsewhere.
    let (text, _, _) = encoding_rs::GB18030.encode("企业,范围\n甲,a;b;c;d\n乙,e;f;g|h|i|j\n");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(&text).unwrap();
    let packed = packed.finish().unwrap();
    for (name, bytes) in [("a.csv.gz", packed.as_slice()), ("b.txt", &text)] {
        let (folder, inferred) = of(&[(name, bytes)], name).await;
        let (project, declarations) = is_sound(&folder, &inferred.unwrap()).await;
        assert_eq!(project.tables[0].def.columns.len(), 2, "{name}");
        let SourceDef::Csv(csv) = &declarations.pipelines[0].def.source else { panic!("a CSV") };
        assert_eq!(csv.delimiter, ',', "{name}");
    }
}

#[tokio::test]
async fn json_is_learned_too() {
    let array = br#"[{"code": "007", "n": 9, "on": "2024-01-05", "place": {"city": "x"}}, {"code": "NA", "n": 2}]"#;
    let lines =
        b"{\"code\": \"007\", \"n\": 1, \"on\": \"2024-01-05\", \"place\": null}\n{\"code\": \"NA\", \"n\": 2}\n";
    for (name, bytes) in [("a.json", array.as_slice()), ("a.ndjson", lines)] {
        let (folder, inferred) = of(&[(name, bytes)], name).await;
        let inferred = inferred.unwrap();
        assert!(
            inferred.pipeline_file.contains(&format!("source = {{ kind = \"json\", path = \"{name}\" }}")),
            "{}",
            inferred.pipeline_file
        );
        let (project, _) = is_sound(&folder, &inferred).await;
        let columns = &project.tables[0].def.columns;
        let columns: Vec<_> = columns
            .iter()
            .map(|column| (column.name.as_str(), column.column_type.to_string(), column.nullable))
            .collect();
        let expected = [("code", "text", false), ("n", "int64", false), ("on", "date", true), ("place", "text", true)];
        assert_eq!(columns, expected.map(|(name, kind, nullable)| (name, kind.to_owned(), nullable)), "{name}");
    }
}

#[tokio::test]
async fn persons_are_guarded_and_not_shown() {
    // The number is the one that GB 11643 itself prints.
    let text = "姓名;身份证号;手机\n张三;11010519491231002X;13800138000\n李四;440524188001010014;13900139000\n";
    let (folder, inferred) = of(&[("p.csv", text.as_bytes())], "p.csv").await;
    let inferred = inferred.unwrap();
    assert!(!inferred.contract.contains("11010519491231002X") && !inferred.contract.contains("张三"));
    let (project, _) = is_sound(&folder, &inferred).await;
    assert_eq!(project.tables[0].def.level, xiangyun_engine::catalog::DataLevel::General4);
    assert!(inferred.pipeline_file.contains("delimiter = \";\""), "{}", inferred.pipeline_file);
}

/// Written by other libraries: see `make.py` beside them.
fn fixture(name: &str) -> Vec<u8> {
    fs::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/formats").join(name)).unwrap()
}

#[tokio::test]
async fn workbooks_documents_and_typed_files_are_learned_too() {
    let xml = "<r><meta>x</meta><list><item id='1'><n>1.5</n></item><item id='2'><n>2</n></item></list></r>";
    for (name, bytes, kind, types) in [
        ("old.xls", fixture("old.xls"), "kind = \"excel\"", "text text date decimal(18,1)"),
        (
            "l.xml",
            xml.as_bytes().to_vec(),
            "kind = \"xml\", path = \"l.xml\", row = \"r/list/item\"",
            "int64 decimal(18,1)",
        ),
        (
            "d.json",
            br#"{"code":0,"data":{"total":2,"rows":[{"a":"01","b":2},{"a":"02","b":3}]}}"#.to_vec(),
            "kind = \"json\", path = \"d.json\", records = \"/data/rows\"",
            "text int64",
        ),
        ("none.parquet", fixture("none.parquet"), "kind = \"parquet\"", "int64 text"),
        (
            "types.arrow",
            fixture("types.feather"),
            "kind = \"arrow\"",
            "int64 int64 decimal(10,2) decimal(12,4) date timestamp timestamp text text text boolean text text text text decimal(20,0)",
        ),
        ("null.avro", fixture("null.avro"), "kind = \"avro\"", "int64 text decimal(10,2) date timestamp text text"),
    ] {
        let (folder, inferred) = of(&[(name, &bytes)], name).await;
        let inferred = inferred.unwrap();
        assert!(inferred.pipeline_file.contains(kind), "{}", inferred.pipeline_file);
        let (project, _) = is_sound(&folder, &inferred).await;
        let columns = &project.tables[0].def.columns;
        let found: Vec<String> = columns.iter().map(|column| column.column_type.to_string()).collect();
        assert_eq!(found.join(" "), types, "{name}");
    }
}

#[tokio::test]
async fn what_cannot_be_told_says_what_to_do() {
    let (_folder, refused) = of(&[("a.bin", b"x")], "a.bin").await;
    assert!(refused.unwrap_err().to_string().contains("what `a.bin` is cannot be told"));
    let (_folder, refused) = of(&[], "missing.csv").await;
    assert_eq!(refused.unwrap_err().to_string(), "source file `missing.csv` does not exist");
}
