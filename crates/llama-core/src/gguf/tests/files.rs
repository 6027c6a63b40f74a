use std::fs;
use std::path::Path;

use super::super::{GgufError, GgufFile, ModelFiles, splits};
use super::bytes::{Gguf, T, V};

/// Writes the parts of a model of one tensor per part.
fn write_parts(folder: &Path, count: u16) {
    for number in 0..count {
        let mut part = if number == 0 { Gguf::llama() } else { Gguf::empty() };
        part.set("split.no", V::U16(number)).set("split.count", V::U16(count));
        part.set("split.tensors.count", V::I32s(vec![])).without("split.tensors.count");
        part.tensors = vec![T::f32(&format!("part{number}.weight"), &[8])];
        fs::write(folder.join(part_name(number, count)), part.write()).unwrap();
    }
}

fn part_name(number: u16, count: u16) -> String {
    format!("m-{:05}-of-{count:05}.gguf", number + 1)
}

#[test]
fn paths_that_are_no_readable_files_have_their_own_errors() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none.gguf");
    let error = GgufFile::open(&missing).unwrap_err();
    assert!(matches!(error, GgufError::NotFound { .. }));
    assert_eq!(error.path(), Some(&*missing));
    assert!(error.to_string().starts_with(&missing.display().to_string()));
    assert!(matches!(GgufFile::open(folder.path()), Err(GgufError::IsDirectory { .. })));
    let empty = folder.path().join("empty.gguf");
    fs::write(&empty, "").unwrap();
    assert!(matches!(GgufFile::open(&empty), Err(GgufError::Empty { .. })));
    assert!(matches!(GgufFile::open(empty.join("below")), Err(GgufError::NotFound { .. })));
}

#[cfg(unix)]
#[test]
fn a_device_is_not_waited_for() {
    assert!(matches!(GgufFile::open("/dev/zero"), Err(GgufError::NotAFile { .. })));
}

#[cfg(unix)]
#[test]
fn a_file_without_permission_says_so() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.gguf");
    fs::write(&path, Gguf::llama().write()).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    match GgufFile::open(&path) {
        Err(error) => assert!(matches!(error, GgufError::PermissionDenied { .. }), "{error}"),
        // The system administrator may read everything.
        Ok(_) => assert!(fs::read(&path).is_ok()),
    }
}

#[test]
fn any_part_of_a_split_model_opens_all() {
    let folder = tempfile::tempdir().unwrap();
    write_parts(folder.path(), 3);
    for number in 0..3 {
        let model = ModelFiles::open(folder.path().join(part_name(number, 3))).unwrap();
        assert_eq!(model.paths()[0], folder.path().join(part_name(0, 3)));
        assert_eq!((model.files().len(), model.parameter_count(), model.tensor_bytes()), (3, 24, 96));
        assert_eq!(model.metadata().architecture(), Some("llama"));
        model.preflight().unwrap();
    }
    let single = GgufFile::open(folder.path().join(part_name(1, 3))).unwrap();
    assert_eq!(single.split().map(|split| (split.number, split.count)), Some((1, 3)));
}

#[test]
fn a_missing_part_is_named() {
    let folder = tempfile::tempdir().unwrap();
    write_parts(folder.path(), 3);
    let gone = folder.path().join(part_name(1, 3));
    fs::remove_file(&gone).unwrap();
    for given in [0, 2] {
        let error = ModelFiles::open(folder.path().join(part_name(given, 3))).unwrap_err();
        assert!(error.to_string().contains(&gone.display().to_string()));
        match error {
            GgufError::MissingSplit { missing, number: 2, count: 3, .. } => assert_eq!(missing, gone),
            other => panic!("{other}"),
        }
    }
    assert!(matches!(splits(folder.path().join(part_name(0, 3))), Err(GgufError::MissingSplit { .. })));
}

#[test]
fn parts_that_do_not_belong_together_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    write_parts(folder.path(), 2);
    let second = folder.path().join(part_name(1, 2));
    let first = folder.path().join(part_name(0, 2));
    let refuse = |change: &dyn Fn(&mut Gguf), hint: &str| {
        let mut part = Gguf::empty();
        part.set("split.no", V::U16(1)).set("split.count", V::U16(2));
        part.tensors = vec![T::f32("part1.weight", &[8])];
        change(&mut part);
        fs::write(&second, part.write()).unwrap();
        let error = ModelFiles::open(&first).and_then(|model| model.preflight()).unwrap_err();
        assert!(matches!(&error, GgufError::Unloadable { .. }) && error.to_string().contains(hint), "{error}");
    };
    // llama.cpp ends the process on the first of these.
    refuse(
        &|part| {
            part.set("split.no", V::U32(1));
        },
        "must be u16",
    );
    refuse(
        &|part| {
            part.set("split.no", V::U16(0));
        },
        "split.no is 0",
    );
    refuse(
        &|part| {
            part.without("split.no");
        },
        "missing",
    );
    refuse(&|part| part.tensors[0].name = "part0.weight".to_owned(), "in two parts");
    refuse(&|part| part.tensors[0] = T::f32("part1.weight", &[0]), "no elements");
}

#[test]
fn a_renamed_part_says_how_to_name_it() {
    let folder = tempfile::tempdir().unwrap();
    write_parts(folder.path(), 2);
    let renamed = folder.path().join("model.gguf");
    fs::rename(folder.path().join(part_name(0, 2)), &renamed).unwrap();
    let error = ModelFiles::open(&renamed).unwrap_err();
    assert!(error.to_string().contains("-00001-of-00002.gguf"), "{error}");
}

#[test]
fn only_names_of_parts_are_taken_for_parts() {
    for name in [
        "m.gguf",
        "m-1-of-2.gguf",
        "m-00000-of-00002.gguf",
        "m-00003-of-00002.gguf",
        "m-00001-of-00002.bin",
        "-00001-of-00002.gguf",
    ] {
        assert_eq!(splits(name).unwrap(), [Path::new(name)]);
    }
}
