//! Split sets: the same model over several files, as `NAME-00001-of-0000N.gguf`.

use std::io;
use std::path::{Path, PathBuf};

use super::{Gguf, invalid};

/// File name of part `part` (from 0) of `parts`.
#[must_use]
pub fn split_name(name: &str, part: u16, parts: u16) -> String {
    format!("{name}-{:05}-of-{parts:05}.gguf", u32::from(part) + 1)
}

impl Gguf {
    /// Divides the file into `parts` files with about the same number of tensors each.
    ///
    /// The first holds all metadata; each says its number, the number of parts and of tensors in all of them
    /// (`split.no`, `split.count`, `split.tensors.count`). Later parts may have no tensor at all if there are few.
    #[must_use]
    pub fn split(&self, parts: u16) -> Vec<Self> {
        let total = self.tensors.len();
        let per_part = total.div_ceil(usize::from(parts.max(1))).max(1);
        (0..parts)
            .map(|part| {
                let start = (usize::from(part) * per_part).min(total);
                let end = (start + per_part).min(total);
                let mut file = Self {
                    metadata: if part == 0 { self.metadata.clone() } else { Vec::new() },
                    tensors: self.tensors[start..end].to_vec(),
                };
                file.set("split.no", part);
                file.set("split.count", parts);
                file.set("split.tensors.count", total as i32);
                file
            })
            .collect()
    }

    /// Writes a split set into `folder` and returns its paths in order; load the first.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for zero parts; otherwise as [`Gguf::save`].
    pub fn save_split(&self, folder: &Path, name: &str, parts: u16) -> io::Result<Vec<PathBuf>> {
        if parts == 0 {
            return Err(invalid(format!("{name}: a split set needs at least one part")));
        }
        let mut paths = Vec::new();
        for (part, file) in (0..).zip(self.split(parts)) {
            let path = folder.join(split_name(name, part, parts));
            file.save(&path)?;
            paths.push(path);
        }
        Ok(paths)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DType, Fill, Tensor, Value};
    use super::*;

    #[test]
    fn every_tensor_is_in_exactly_one_part() {
        let mut file = Gguf::new("llama");
        for i in 0..7 {
            let fill = Fill::Constant(0.0);
            file.tensor(Tensor { name: format!("t{i}"), shape: vec![1], dtype: DType::F32, fill });
        }
        for parts in 1..=9 {
            let split = file.split(parts);
            assert_eq!(split.len(), usize::from(parts));
            let names: Vec<&str> = split.iter().flat_map(Gguf::tensors).map(|t| t.name.as_str()).collect();
            assert_eq!(names, ["t0", "t1", "t2", "t3", "t4", "t5", "t6"]);
            assert!(split.iter().all(|part| part.get("split.tensors.count") == Some(&Value::I32(7))));
            assert!(split.iter().skip(1).all(|part| part.get("general.architecture").is_none()));
        }
    }

    #[test]
    fn names_count_from_one() {
        assert_eq!(split_name("m", 0, 3), "m-00001-of-00003.gguf");
        assert_eq!(split_name("m", 2, 3), "m-00003-of-00003.gguf");
    }
}
