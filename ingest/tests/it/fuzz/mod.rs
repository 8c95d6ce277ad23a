//! Random damage to sound files of every kind, and random files in between: whatever comes in, a decoder ends in rows or
//! in an error, within bounded memory and time, and says the same however often and in whatever pieces it reads.
//!
//! A short round of a fixed seed is part of the tests. `FUZZ_SECONDS=N` fuzzes each for so long, from a seed of the clock
//! or of `FUZZ_SEED`, which is printed. What fails is kept in the target folder as a file and its source's declaration:
//! put both into `tests/fixtures/fuzz`, where `found_before` reads them ever after.

pub(crate) mod judge;
mod mutate;
pub(crate) mod packing;
mod targets;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use self::judge::{Reading, guess, read, source_of};
use self::packing::in_pieces;
use self::targets::{ALL, Target};
use crate::alone::alone;
use crate::fault_store::Dice;
use crate::memory::peak_of;

/// Inputs of a short round.
const SHORT: u64 = 150;

/// Bytes that reading one small file may cost.
const MOST_BYTES: usize = 256 << 20;

/// What C libraries may take besides, and never give back.
const MOST_RESIDENT_KIB: u64 = 1 << 20;

/// One input reads in milliseconds. On a machine that does ten other things it may take a while.
const MOST_TIME: Duration = Duration::from_secs(60);

/// Bytes that are worth cutting into pieces of a few each.
const MOST_PIECED_BYTES: usize = 16 << 10;

const DECLARATION: &str = "source.toml";

fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

fn fuzz(name: &str) {
    let target = ALL.iter().find(|target| target.name == name).unwrap();
    let seconds = number_of("FUZZ_SECONDS");
    let clock = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let seed = number_of("FUZZ_SEED").unwrap_or_else(|| if seconds.is_some() { clock() } else { 1 });
    let limit = Duration::from_secs(seconds.unwrap_or(120)) + 2 * MOST_TIME;
    alone(
        &format!("fuzz::{name}"),
        limit,
        |folder| keep(target, seed, folder),
        |folder| {
            let started = Instant::now();
            let is_over = |inputs| match seconds {
                Some(seconds) => started.elapsed().as_secs() >= seconds,
                None => inputs >= SHORT,
            };
            let machine = Machine::start(folder);
            eprintln!("~ FUZZ_SEED={seed}");
            let seeds = (target.seeds)();
            let (mut inputs, mut sound, mut peak) = (0, 0, 0);
            // The first inputs are the seeds as they are.
            while !is_over(inputs) {
                let mut dice = Dice(seed.wrapping_mul(0x2545_F491_4F6C_DD1D) ^ inputs);
                let source = target.sources[mutate::pick(&mut dice, target.sources.len())];
                let input = match seeds.get(inputs as usize) {
                    Some(seed) => seed.clone(),
                    None => mutate::input(&mut dice, &seeds, target.words, target.packing),
                };
                let (read, bytes) = peak_of(|| machine.judge(target.ending, source, &input, target.is_guessed));
                assert!(bytes <= MOST_BYTES, "{} bytes of input took {bytes} bytes of memory", input.len());
                if target.in_pieces {
                    machine.judge_in_pieces(target.ending, source, &input, &mut dice, &read);
                }
                (inputs, sound, peak) = (inputs + 1, sound + u64::from(read.is_ok()), peak.max(bytes));
            }
            let resident = resident_kib();
            eprintln!(
                "~ {inputs} inputs, {sound} of them readable, {} MiB at most, {resident} KiB resident",
                peak >> 20
            );
            assert!(resident <= MOST_RESIDENT_KIB, "{resident} KiB were resident");
            assert!(sound > 0, "no input was readable, not even the seeds");
        },
    );
}

/// Keeps what failed where it can be taken up.
fn keep(target: &Target, seed: u64, folder: &Path) {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz");
    std::fs::create_dir_all(&kept).unwrap();
    let to = |ending: &str| kept.join(format!("{}-{seed}.{ending}", target.name));
    let copied = std::fs::copy(folder.join(format!("f.{}", target.ending)), to(target.ending))
        .and_then(|_| std::fs::copy(folder.join(DECLARATION), to("toml")));
    eprintln!("what failed is kept: {copied:?} {}", to(target.ending).display());
}

/// Where inputs are read, with somebody who watches.
struct Machine {
    folder: PathBuf,
    runtime: tokio::runtime::Runtime,
    /// Inputs that were begun and ended.
    steps: Arc<AtomicU64>,
}

impl Machine {
    fn start(folder: PathBuf) -> Self {
        let steps = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&steps);
        std::thread::spawn(move || {
            let (mut step, mut since) = (0, Instant::now());
            loop {
                std::thread::sleep(Duration::from_millis(500));
                let now = seen.load(Ordering::Relaxed);
                if now != step {
                    (step, since) = (now, Instant::now());
                } else if since.elapsed() > MOST_TIME {
                    eprintln!("one input takes longer than {MOST_TIME:?}");
                    std::process::abort();
                }
            }
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { folder, runtime, steps }
    }

    fn judge(&self, ending: &str, source: &str, input: &[u8], is_guessed: bool) -> Result<Reading, String> {
        self.steps.fetch_add(1, Ordering::Relaxed);
        let name = format!("f.{ending}");
        std::fs::write(self.folder.join(DECLARATION), source).unwrap();
        std::fs::write(self.folder.join(&name), input).unwrap();
        let runtime = self.runtime.handle();
        let read = read(runtime, &self.folder, &source_of(source, &name));
        names_the_file(read.as_ref().err(), &name);
        if is_guessed {
            names_the_file(guess(runtime, &self.folder, &name).as_ref().err(), &name);
        }
        check_count(source, input, &read);
        read
    }

    /// The same content, decoded in other pieces.
    fn judge_in_pieces(
        &self,
        ending: &str,
        source: &str,
        input: &[u8],
        dice: &mut Dice,
        expected: &Result<Reading, String>,
    ) {
        if input.len() > MOST_PIECED_BYTES {
            return;
        }
        let most = 1 + dice.roll(40);
        let packed = in_pieces(input, || 1 + dice.roll(most) as usize);
        // What looks packed itself is unpacked once only; and a file that is packed has another size.
        if looks_packed(input) || input.is_empty() {
            return;
        }
        let folder = self.folder.join("pieces");
        std::fs::create_dir_all(&folder).unwrap();
        let name = format!("f.{ending}");
        std::fs::write(folder.join(&name), packed).unwrap();
        let found = read(self.runtime.handle(), &folder, &source_of(source, &name));
        // Which of several faults is met first may depend on the pieces.
        if found.is_ok() || expected.is_ok() {
            assert_eq!(&found, expected, "another result in pieces of up to {most} bytes");
        }
    }
}

fn looks_packed(input: &[u8]) -> bool {
    let starts: [&[u8]; 7] =
        [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ", b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"];
    starts.iter().any(|start| input.starts_with(start))
}

fn names_the_file(error: Option<&String>, name: &str) {
    if let Some(error) = error {
        assert!(error.contains(name), "an error names its file: {error}");
    }
}

/// Rows of the simplest forms are counted by their lines.
fn check_count(source: &str, input: &[u8], read: &Result<Reading, String>) {
    let (Ok(read), Ok(text)) = (read, std::str::from_utf8(input)) else { return };
    // Zeros may make it UTF-16.
    if text.contains('\0') {
        return;
    }
    let header = match source {
        "kind = \"csv\"\nencoding = \"utf-8\"" if !text.contains(['"', '\r']) => 1,
        "kind = \"json\""
            if !text.contains('\r') && !text.trim_start_matches('\u{feff}').trim_start().starts_with('[') =>
        {
            0
        }
        _ => return,
    };
    let text = text.trim_start_matches('\u{feff}');
    let is_row = |line: &&str| if header == 1 { !line.is_empty() } else { !line.trim().is_empty() };
    let lines = text.split('\n').filter(is_row).count() as u64;
    assert_eq!(read.rows + read.unreadable + header, lines, "a line was lost or made up");
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}

/// Everything that failed once.
#[test]
fn found_before() {
    let limit = Duration::from_secs(300);
    alone(
        "fuzz::found_before",
        limit,
        |_| {},
        |folder| {
            let machine = Machine::start(folder);
            let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/fuzz");
            let mut paths: Vec<_> = std::fs::read_dir(fixtures).unwrap().map(|entry| entry.unwrap().path()).collect();
            paths.sort();
            for path in paths.iter().filter(|path| path.extension().is_none_or(|ending| ending != "toml")) {
                let name = path.file_name().unwrap().to_str().unwrap();
                let (stem, ending) = name.split_once('.').unwrap();
                let source = std::fs::read_to_string(path.with_file_name(format!("{stem}.toml"))).unwrap();
                let input = std::fs::read(path).unwrap();
                eprintln!("{name}");
                let target =
                    ALL.iter().find(|target| stem.starts_with(target.name) && target.ending == ending).unwrap();
                let judged = || machine.judge(ending, &source, &input, target.is_guessed);
                let (read, bytes) = peak_of(judged);
                assert!(bytes <= MOST_BYTES, "{name} took {bytes} bytes of memory");
                if target.in_pieces {
                    for seed in 0..8 {
                        machine.judge_in_pieces(ending, &source, &input, &mut Dice(seed), &read);
                    }
                }
            }
        },
    );
}

macro_rules! fuzzed {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                fuzz(stringify!($name));
            }
        )*

        /// A decoder without a test of its own would never be fuzzed.
        #[test]
        fn every_target_has_a_test() {
            assert_eq!(ALL.iter().map(|target| target.name).collect::<Vec<_>>(), [$(stringify!($name)),*]);
        }
    };
}

fuzzed!(csv json ndjson geojson xml xlsx xls ods parquet arrow avro sqlite zip tar gzip zstd bzip2 xz);
