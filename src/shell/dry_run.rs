//! `flowswitch test`: the dry run of the tests that stand beside flows.

mod junit;

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::flow_files::{self, PathError, Wanted};
use crate::dryrun::{Coverage, Report, parse_tests, run_test};
use crate::flow::Flow;
use crate::flow::dialect::{Support, parse_flow};
use crate::flow::lint::outline;
use crate::ids::Rng;

/// Options of `flowswitch test`.
#[derive(Debug, clap::Args)]
pub struct TestOptions {
    /// NAME.test.json files, flows that have one beside them, or directories of them
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Write the results as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Say which actions and ways no test has taken
    #[arg(long)]
    pub coverage: bool,
}

/// Why tests could not be run.
#[derive(Debug, thiserror::Error)]
pub enum DryRunError {
    /// A path cannot be read.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The results cannot be printed or written.
    #[error("cannot write the results: {0}")]
    Print(#[from] io::Error),
    /// There is nothing to run.
    #[error("there is no test (NAME.test.json) in what was named")]
    NoTest,
}

/// The tests of one file.
struct Suite {
    file: PathBuf,
    /// Why none of them could be run.
    error: Option<String>,
    cases: Vec<Case>,
    coverage: Option<Coverage>,
}

struct Case {
    report: Report,
    /// Real time it took.
    took: Duration,
}

/// Runs all tests that the options name, and prints what came of them. Whether all passed.
///
/// # Errors
/// A path cannot be read, there is no test at all, or the results cannot be written.
pub fn run(options: &TestOptions, out: &mut impl Write) -> Result<bool, DryRunError> {
    let begun = Instant::now();
    let files = flow_files::find(&options.paths, Wanted::Tests)?;
    let mut neighbours = Neighbours::default();
    let mut suites = Vec::with_capacity(files.len());
    for file in files {
        let suite = run_file(file, &mut neighbours)?;
        print_suite(&suite, options.coverage, out)?;
        suites.push(suite);
    }
    let count = suites.iter().map(|suite| suite.cases.len()).sum::<usize>();
    if count == 0 && suites.iter().all(|suite| suite.error.is_none()) {
        return Err(DryRunError::NoTest);
    }
    let cases = suites.iter().flat_map(|suite| &suite.cases);
    let failed = cases
        .filter(|case| !case.report.failures.is_empty())
        .count();
    let broken = suites.iter().filter(|suite| suite.error.is_some()).count();
    let took = begun.elapsed();
    write!(out, "{} passed, {failed} failed", count - failed)?;
    if broken > 0 {
        write!(out, ", {broken} files not run")?;
    }
    writeln!(out, " in {:.3} s", took.as_secs_f64())?;
    if let Some(file) = &options.junit {
        std::fs::write(file, junit::to_xml(&suites))?;
    }
    Ok(failed == 0 && broken == 0)
}

fn run_file(file: PathBuf, neighbours: &mut Neighbours) -> Result<Suite, PathError> {
    let mut suite = Suite {
        error: None,
        cases: Vec::new(),
        coverage: None,
        file,
    };
    let tests = match parse_tests(&flow_files::read(&suite.file)?) {
        Ok(tests) => tests,
        Err(errors) => {
            let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
            suite.error = Some(lines.join("\n"));
            return Ok(suite);
        }
    };
    let Some(flow_file) = flow_files::flow_of(&suite.file) else {
        return Ok(suite);
    };
    let flow = match read_flow(&flow_file)? {
        Ok(flow) => flow,
        Err(why) => {
            suite.error = Some(why);
            return Ok(suite);
        }
    };
    let neighbours = neighbours.of(flow_files::directory_of(&flow_file))?;
    let mut coverage = Coverage::new(&flow);
    for test in &tests.tests {
        let begun = Instant::now();
        let report = run_test(&flow, &|id| neighbours.find(id), test, begun);
        coverage.add(&flow, &report);
        let took = begun.elapsed();
        suite.cases.push(Case { report, took });
    }
    suite.coverage = Some(coverage);
    Ok(suite)
}

/// The flow of a file, or what is wrong with it in words.
fn read_flow(file: &Path) -> Result<Result<Flow, String>, PathError> {
    let text = flow_files::read(file)?;
    let stem = flow_files::stem_of(file);
    // Always the same ids, so that a test that failed fails again.
    let mut rng = Rng::from_number(0);
    let flow = parse_flow(&text, &stem, &mut rng, Support::All);
    Ok(flow.map_err(|errors| format!("{}:\n{errors}", file.display())))
}

/// The flows of directories, each read when a test first fetches it.
#[derive(Default)]
struct Neighbours {
    directories: HashMap<PathBuf, Directory>,
}

#[derive(Default)]
struct Directory {
    /// Files by the ids and names of their flows.
    files: HashMap<String, PathBuf>,
    read: RefCell<HashMap<PathBuf, Option<Arc<Flow>>>>,
}

impl Neighbours {
    fn of(&mut self, path: &Path) -> Result<&Directory, PathError> {
        if !self.directories.contains_key(path) {
            let mut directory = Directory::default();
            for file in flow_files::flows_in(path)? {
                let outline = outline(&flow_files::read(&file)?);
                let stem = Some(flow_files::stem_of(&file));
                for name in [outline.id, outline.name, stem].into_iter().flatten() {
                    directory.files.entry(name).or_insert_with(|| file.clone());
                }
            }
            self.directories.insert(path.to_owned(), directory);
        }
        Ok(&self.directories[path])
    }
}

impl Directory {
    fn find(&self, id: &str) -> Option<Arc<Flow>> {
        let file = self.files.get(id)?;
        if let Some(read) = self.read.borrow().get(file) {
            return read.clone();
        }
        let flow = read_flow(file).ok().and_then(Result::ok).map(Arc::new);
        self.read.borrow_mut().insert(file.clone(), flow.clone());
        flow
    }
}

fn print_suite(suite: &Suite, with_coverage: bool, out: &mut impl Write) -> io::Result<()> {
    let file = suite.file.display();
    if let Some(error) = &suite.error {
        return writeln!(out, "NOT RUN {file}\n{}", indented(error, 4));
    }
    for case in &suite.cases {
        let Report {
            name,
            line,
            failures,
            lasted,
            ..
        } = &case.report;
        let seconds = lasted.as_secs_f64();
        if failures.is_empty() {
            writeln!(out, "ok      {file}:{line}: {name} ({seconds:.1} s)")?;
        } else {
            writeln!(out, "FAILED  {file}:{line}: {name} ({seconds:.1} s)")?;
            for failure in failures {
                writeln!(out, "{}", indented(failure, 4))?;
            }
        }
    }
    match &suite.coverage {
        Some(coverage) if with_coverage => print_coverage(suite, coverage, out),
        _ => Ok(()),
    }
}

fn print_coverage(suite: &Suite, coverage: &Coverage, out: &mut impl Write) -> io::Result<()> {
    let ((actions, all_actions), (ways, all_ways)) = (coverage.actions(), coverage.ways());
    writeln!(
        out,
        "reached {}: {actions} of {all_actions} actions, {ways} of {all_ways} ways",
        suite.file.display()
    )?;
    for gap in coverage.gaps() {
        writeln!(out, "    not reached: {gap}")?;
    }
    Ok(())
}

fn indented(text: &str, by: usize) -> String {
    let lines: Vec<String> = text
        .lines()
        .map(|line| format!("{:by$}{line}", ""))
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests;
