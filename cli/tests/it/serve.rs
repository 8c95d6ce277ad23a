use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use crate::support::Project;

/// A server that does not outlive its test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
    }
}

/// One request, answered to the end of the connection.
fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[cfg(unix)]
#[test]
fn a_server_that_is_told_to_end_writes_down_what_was_asked() {
    let project = Project::loaded();
    let mut command = project.command(["serve", "--listen", "127.0.0.1:0"]);
    let mut server = Server(command.stderr(Stdio::piped()).spawn().unwrap());
    let mut told = BufReader::new(server.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let address = told.find_map(|line| line.split_once("listens on http://").map(|(_, rest)| rest.to_owned())).unwrap();
    let answer = get(&address, "/v1/query?sql=select+count(*)+as+n+from+permits.decisions&format=csv");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\n3"), "{answer}");
    let pid = server.0.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    // Its messages are read to their end, so that it never waits for a reader.
    told.for_each(drop);
    assert!(server.0.wait().unwrap().success());
    let asked = "select statement, rows, outcome, tables from system.queries where principal = 'local'";
    let asked = project.run(["sql", "-c", asked]).ok();
    assert!(asked.contains("select count(*) as n from permits.decisions,1,succeeded"), "{asked}");
    assert!(asked.contains("permits.decisions") && asked.contains("version"), "{asked}");
}
