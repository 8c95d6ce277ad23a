use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStderr, Stdio};

use serde_json::Value;

use crate::support::{binary, finish};

/// A demo that serves.
struct Demo {
    child: Child,
    address: String,
    stderr: BufReader<ChildStderr>,
}

impl Demo {
    /// Starts one and reads on until it says where it listens.
    fn start(dir: &Path, more: &[&str]) -> Self {
        let mut command = binary();
        command.args(["demo", "--listen", "127.0.0.1:0", "--json", "--dir"]).arg(dir).args(more);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut told = String::new();
        let address = loop {
            let mut line = String::new();
            assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "the demo ended: {told}");
            if let Some(rest) = line.split("listens on http://").nth(1) {
                break rest.split([',', '\n']).next().unwrap().to_owned();
            }
            told.push_str(&line);
        };
        Self { child, address, stderr }
    }

    fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        let status = reply.split(' ').nth(1).unwrap().parse().unwrap();
        (status, reply)
    }

    /// Kills it as `kill -9` does, and gives the documents that it printed.
    fn kill(mut self) -> Vec<Value> {
        self.child.kill().unwrap();
        let mut printed = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
        self.child.wait().unwrap();
        let mut rest = String::new();
        self.stderr.read_to_string(&mut rest).unwrap();
        let documents = serde_json::Deserializer::from_str(&printed).into_iter::<Value>();
        documents.map(Result::unwrap).collect()
    }
}

#[test]
fn a_demo_loads_once_serves_and_starts_again_from_its_lake() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("demo");
    let demo = Demo::start(&dir, &["--scale", "0.05"]);
    assert_eq!(demo.get("/readyz").0, 200);
    let (status, reply) = demo.get("/v1/metrics/startup_median_days");
    assert_eq!(status, 200, "{reply}");
    let first = demo.kill();
    assert_eq!(first.len(), 4, "the loads, and three metrics");
    let loads = first[0]["rows"].as_array().unwrap();
    assert!(!loads.is_empty() && loads.iter().all(|load| load["outcome"] == "loaded"), "{loads:?}");
    assert!(first[1..].iter().all(|answer| answer["row_count"].as_u64().unwrap() > 0), "{first:?}");

    let again = Demo::start(&dir, &[]).kill();
    let loads = again[0]["rows"].as_array().unwrap();
    assert!(loads.iter().all(|load| load["outcome"] == "unchanged"), "{loads:?}");
    assert_eq!(again[1]["rows"], first[1]["rows"]);
}

#[test]
fn a_folder_that_is_no_demo_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("letter.txt"), "mine").unwrap();
    let run = finish(binary().args(["demo", "--listen", "127.0.0.1:0", "--dir"]).arg(dir.path()));
    assert!(run.failed(2).contains("is not empty and not a demo"), "{}", run.stderr);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}
