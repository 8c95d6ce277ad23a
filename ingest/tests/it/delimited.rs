//! Delimited text as agencies send it, from the file to the table, the quarantine and the run's record.

use crate::loads::{TABLE, pipeline};
use crate::workspace::Lake;

async fn open(settings: &str, content: &[u8]) -> Lake {
    let path = "path = \"data/*.csv\"";
    let pipeline = pipeline("append").replace(path, &format!("{path}, {settings}"));
    let files =
        [("tables/t.toml", TABLE.as_bytes()), ("pipelines/p.toml", pipeline.as_bytes()), ("data/a.csv", content)];
    Lake::open(&files).await
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_with_bytes_of_no_meaning_are_in_quarantine_and_the_others_are_loaded() {
    // GB18030: 金额, and a row whose amount begins with a byte that no character begins with.
    let content = b"id,amount,\xbd\xf0\xb6\xee\n1,10.50,\xbc\xaa\n2,\xff3,\xbc\xaa\n3,4,\xcf\xe9\n";
    let lake = open("delimiter = \",\"", content).await;
    let run = lake.load("trades").await.unwrap().run;
    assert_eq!((run.rows_read, run.rows_loaded, run.rows_rejected, run.rows_duplicate), (3, 2, 1, 0));
    assert_eq!(run.sources[0].encoding.as_deref(), Some("GB18030"));
    assert_eq!(lake.sql("select id from market.trades order by id").await, [["1"], ["3"]]);
    let found = lake.sql("select file, line, reason, message, raw from system.quarantine").await;
    let message = "byte 28 of the content, on line 3, is no part of a character in GB18030";
    assert_eq!(found, [["data/a.csv", "3", "ENCODING", message, "2,\\xFF3,吉"]]);
    assert_eq!(content[28], 0xff);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_out_of_a_yearbook_stands_in_the_runs_record() {
    let content = "交易情况\n单位：元\n编  号;金额;备注\n1;10.50;x\n2;3\n\n注：合成数据\n来源：测试\n";
    let settings = "delimiter = \";\", header = 3, footer = \"注：\", ragged = \"pad\", fold_names = true";
    let lake = open(settings, content.as_bytes()).await;
    let error = lake.load("trades").await.unwrap_err();
    // The names were folded: the contract's own are not among them.
    assert!(error.chain().contains("there are: 编号, 金额, 备注"), "{}", error.chain());
    let columns = pipeline("append").replace("path = \"data/*.csv\"", &format!("path = \"data/*.csv\", {settings}"))
        + "columns = { id = \"编号\", amount = \"金额\" }\n";
    let files = [
        ("tables/t.toml", TABLE.as_bytes()),
        ("pipelines/p.toml", columns.as_bytes()),
        ("data/a.csv", content.as_bytes()),
    ];
    let lake = Lake::open(&files).await;
    let run = lake.load("trades").await.unwrap().run;
    assert_eq!((run.rows_read, run.rows_loaded, run.rows_rejected), (2, 2, 0));
    assert_eq!(lake.sql("select id, amount from market.trades order by id").await, [["1", "10.50"], ["2", "3.00"]]);
    let notes = "`data/a.csv`: left out 2 lines at the top, 1 blank line, 2 lines of the footer from line 7 on; \
                 `data/a.csv`: 1 row had fewer fields than the header";
    assert_eq!(lake.sql("select notes from system.runs").await, [[notes]]);
}
