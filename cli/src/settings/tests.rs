use std::fs;

use super::*;

fn environment(pairs: &[(&str, &str)]) -> Environment {
    Environment(pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect())
}

fn project(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(FILE_NAME), text).unwrap();
    folder
}

fn resolve(text: &str, pairs: &[(&str, &str)], flags: &Flags) -> anyhow::Result<Settings> {
    let folder = project(text);
    Settings::resolve(folder.path().to_path_buf(), &environment(pairs), flags)
}

fn entry<'a>(settings: &'a Settings, path: &str) -> &'a Setting {
    settings.entries().iter().find(|entry| entry.key.path() == path).unwrap()
}

#[test]
fn each_layer_beats_the_one_below_and_is_remembered() {
    let file = "version = 1\n[server]\nlisten = \"127.0.0.1:1\"\n[limits]\nmax_rows = 5\ntimeout_seconds = 9\n";
    let variables = [("XIANGYUN_SERVER_LISTEN", "127.0.0.1:2"), ("XIANGYUN_LIMITS_MAX_ROWS", "6")];
    let flags = vec![(&SERVER_LISTEN, "--listen", "127.0.0.1:3".to_owned())];
    let settings = resolve(file, &variables, &flags).unwrap();
    assert_eq!(settings.listen().unwrap().port(), 3);
    assert_eq!(entry(&settings, "server.listen").origin.to_string(), "flag --listen");
    assert_eq!(settings.limits().max_rows, 6);
    assert_eq!(entry(&settings, "limits.max_rows").origin.to_string(), "environment XIANGYUN_LIMITS_MAX_ROWS");
    assert_eq!(settings.limits().timeout.as_secs(), 9);
    assert_eq!(entry(&settings, "limits.timeout_seconds").origin.to_string(), "xiangyun.toml:6");
    assert_eq!(settings.limits().sql_bytes, 256 << 10);
    assert_eq!(entry(&settings, "limits.sql_bytes").origin, Origin::Default);
}

#[test]
fn defaults_are_those_of_the_engine() {
    let (ours, engine) = (resolve("version = 1\n", &[], &vec![]).unwrap().limits(), Limits::default());
    assert_eq!(format!("{ours:?}"), format!("{engine:?}"));
}

#[test]
fn the_lake_is_in_the_project_unless_said() {
    let folder = tempfile::Builder::new().prefix("项目 ").tempdir().unwrap();
    fs::write(folder.path().join(FILE_NAME), "version = 1\n").unwrap();
    let settings = Settings::resolve(folder.path().to_path_buf(), &environment(&[]), &vec![]).unwrap();
    let url = url::Url::parse(&settings.storage().url).unwrap();
    assert_eq!(url.to_file_path().unwrap(), folder.path().join("lake"));
}

#[test]
fn a_relative_token_file_belongs_to_the_project_when_the_file_names_it() {
    let folder = project("version = 1\n[server]\ntokens = \"tokens.toml\"\n");
    let settings = Settings::resolve(folder.path().to_path_buf(), &environment(&[]), &vec![]).unwrap();
    assert_eq!(settings.tokens().unwrap(), folder.path().join("tokens.toml"));
}

#[test]
fn tls_wants_both_of_its_files() {
    let both = "version = 1\n[server]\ntls_certificate = \"c.pem\"\ntls_key = \"/k.pem\"\n";
    let (certificate, key) = resolve(both, &[], &vec![]).unwrap().tls().unwrap().unwrap();
    assert!(certificate.is_absolute() && certificate.ends_with("c.pem"), "{}", certificate.display());
    assert_eq!(key, Path::new("/k.pem"));
    assert_eq!(resolve("version = 1\n", &[], &vec![]).unwrap().tls().unwrap(), None);
    for (given, missing) in [("TLS_KEY", "server.tls_certificate"), ("TLS_CERTIFICATE", "server.tls_key")] {
        let variable = format!("XIANGYUN_SERVER_{given}");
        let error = resolve("version = 1\n", &[(&variable, "x.pem")], &vec![]).unwrap().tls().unwrap_err();
        assert!(error.to_string().contains(&format!("`{missing}` is not set")), "{error}");
    }
}

#[test]
fn the_access_log_is_a_file_or_standard_output() {
    let target = |value: &str| {
        let file = format!("version = 1\n[server]\naccess_log = \"{value}\"\n");
        resolve(&file, &[], &vec![]).unwrap().access_log().unwrap()
    };
    assert_eq!(target("-"), LogTarget::StandardOutput);
    assert_eq!(target("/a/access.log"), LogTarget::File("/a/access.log".into()));
    assert_eq!(resolve("version = 1\n", &[], &vec![]).unwrap().access_log(), None);
}

#[test]
fn traces_go_where_the_settings_say_before_the_variables_of_others() {
    let otlp = |file: &str, pairs: &[(&str, &str)]| {
        let settings = resolve(&format!("version = 1\n{file}"), pairs, &vec![]).unwrap();
        settings.otlp(&environment(pairs))
    };
    assert!(otlp("", &[("OTEL_SERVICE_NAME", "x")]).is_none());
    let shared = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://shared:4318"), ("OTEL_SERVICE_NAME", "night")];
    let found = otlp("", &shared).unwrap();
    assert_eq!((found.endpoint.as_str(), found.service_name.as_str()), ("http://shared:4318", "night"));
    assert_eq!(found.origin, Origin::Environment("OTEL_EXPORTER_OTLP_ENDPOINT".into()));
    let file = "[telemetry]\notlp_endpoint = \"http://own:4318\"\notlp_sample_ratio = 0.25\n";
    let found = otlp(file, &shared).unwrap();
    assert_eq!((found.endpoint.as_str(), found.sample_ratio), ("http://own:4318", 0.25));
    assert_eq!(found.origin, Origin::File { line: 3 });
    assert_eq!(otlp(file, &[]).unwrap().service_name, "xiangyun");
    assert!(otlp(file, &[("OTEL_SDK_DISABLED", "true")]).is_none());
}

#[test]
fn a_ratio_is_a_number_from_0_to_1() {
    let ratio = |value: &str| {
        let file = format!("version = 1\n[telemetry]\notlp_endpoint = \"http://a\"\notlp_sample_ratio = {value}\n");
        resolve(&file, &[], &vec![]).map(|settings| settings.otlp(&environment(&[])).unwrap().sample_ratio)
    };
    for (value, meant) in [("0", 0.0), ("1", 1.0), ("0.5", 0.5), ("1e-3", 0.001)] {
        assert_eq!(ratio(value).unwrap(), meant);
    }
    for wrong in ["1.5", "-0.1", "nan", "true", "\"0.5\"", "0x1"] {
        let faults = ratio(wrong).unwrap_err().downcast::<Faults>().unwrap().render(false);
        assert!(faults.contains("a number from 0 to 1"), "{faults}");
    }
}

#[test]
fn all_faults_of_the_file_are_told_at_once_with_place_and_suggestion() {
    let file = "version = 1\n[storge]\nurl = \"x\"\n[limits]\nmax_row = 1\nsql_bytes = \"many\"\nmemory_bytes = 1\n";
    let faults = resolve(file, &[], &vec![]).unwrap_err().downcast::<Faults>().unwrap();
    let text = faults.render(false);
    assert!(text.contains("unknown key `storge`, did you mean `storage`?"), "{text}");
    assert!(text.contains("xiangyun.toml:2:2"), "{text}");
    assert!(text.contains("unknown key `max_row`, did you mean `max_rows`?"), "{text}");
    assert!(text.contains("`limits.sql_bytes` must be a whole number"), "{text}");
    assert!(text.contains("less than the least value, 16777216"), "{text}");
}

#[test]
fn a_file_of_another_version_or_none_is_refused() {
    for file in ["", "version = 2\n", "version = \"1\"\n"] {
        assert!(resolve(file, &[], &vec![]).unwrap_err().is::<Faults>(), "{file:?}");
    }
}

#[test]
fn a_wrong_variable_is_named_and_an_empty_one_is_unset() {
    let error = resolve("version = 1\n", &[("XIANGYUN_LIMITS_MAX_ROWS", "many")], &vec![]).unwrap_err();
    assert_eq!(error.to_string(), "XIANGYUN_LIMITS_MAX_ROWS: `many` is not a whole number");
    let slips = environment(&[("XIANGYUN_STORGE_URL", "x"), ("XIANGYUN_LOG", "x"), ("XIANGYUN_REAL_DATA", "x")]);
    assert_eq!(slips.slips(), [("XIANGYUN_STORGE_URL", "XIANGYUN_STORAGE_URL".to_owned())]);
}

#[test]
fn secrets_are_masked_and_not_taken_from_flags() {
    let variables = [("XIANGYUN_STORAGE_SECRET_ACCESS_KEY", "hunter2")];
    let settings = resolve("version = 1\n", &variables, &vec![]).unwrap();
    assert_eq!(settings.storage().secret_access_key.as_deref(), Some("hunter2"));
    assert_eq!(entry(&settings, "storage.secret_access_key").shown().unwrap(), "********");
    assert!(!format!("{:?}", settings.storage()).contains("hunter2"));
    assert!(settable("storage.secret_access_key").unwrap_err().to_string().contains("is a secret"));
    assert!(settable("limits.max_row").unwrap_err().to_string().contains("did you mean `limits.max_rows`?"));
}

#[test]
fn the_template_holds_every_setting_and_every_example_is_valid() {
    let mut diagnostics = Diagnostics::default();
    assert!(file::parse(template(), &mut diagnostics).0.is_empty());
    let settings = template().lines().fold(String::new(), |mut text, line| {
        let is_setting = KEYS.iter().any(|key| line == format!("# {} = {}", key.name, key.example));
        text.push_str(if is_setting { &line[2..] } else { line });
        text + "\n"
    });
    let found = file::parse(settings, &mut diagnostics);
    assert!(diagnostics.is_empty(), "{}", Faults::new(diagnostics).render(false));
    assert_eq!(found.0.len(), KEYS.len());
}

#[test]
fn documents_agree_with_the_list() {
    crate::documents::compare("settings.md", &documents::markdown());
    let schema = serde_json::to_string_pretty(&documents::json_schema()).unwrap() + "\n";
    crate::documents::compare("schema/settings.json", &schema);
}
