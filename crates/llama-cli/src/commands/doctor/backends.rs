//! What llama.cpp could compute with, what it finds here, and why not the rest.

use llama_core::Device;
use serde::Serialize;

use crate::gpu;

/// A kind of device.
#[derive(Debug, Serialize)]
pub(super) struct Backend {
    pub(super) name: String,
    /// The feature of the program that compiles it in; `None` for what is always there or comes from elsewhere.
    pub(super) feature: Option<&'static str>,
    pub(super) compiled: bool,
    /// Names of its devices on this machine.
    pub(super) devices: Vec<String>,
    /// Why there are none.
    pub(super) why_not: Option<String>,
}

/// Every backend that is known or found.
pub(super) fn look(devices: &[Device]) -> Vec<Backend> {
    let mut found = vec![Backend {
        name: "CPU".to_owned(),
        feature: None,
        compiled: true,
        devices: names(devices, "CPU"),
        why_not: None,
    }];
    found.extend(gpu::BACKENDS.iter().map(|(feature, name, compiled)| {
        let devices = names(devices, name);
        let why_not = devices.is_empty().then(|| why_not(feature, name, *compiled));
        // An installed llama.cpp brings what it was built with, whatever our features say.
        let compiled = *compiled || !devices.is_empty();
        Backend { name: (*name).to_owned(), feature: Some(feature), compiled, devices, why_not }
    }));
    for device in devices {
        if !found.iter().any(|backend| is(&device.backend, &backend.name)) {
            found.push(Backend {
                name: device.backend.clone(),
                feature: None,
                compiled: true,
                devices: names(devices, &device.backend),
                why_not: None,
            });
        }
    }
    found
}

fn names(devices: &[Device], backend: &str) -> Vec<String> {
    devices.iter().filter(|device| is(&device.backend, backend)).map(|device| device.name.clone()).collect()
}

/// llama.cpp calls Metal `MTL` in some versions.
fn is(found: &str, name: &str) -> bool {
    found.eq_ignore_ascii_case(name) || (name == "Metal" && found.eq_ignore_ascii_case("MTL"))
}

fn why_not(feature: &str, name: &str, compiled: bool) -> String {
    match (feature, compiled) {
        ("metal", _) if !cfg!(target_vendor = "apple") => "only on Apple's systems".to_owned(),
        (_, false) if cfg!(feature = "dynamic-backends") => {
            format!("no library of the backend was found beside the program, and the feature `{feature}` is off")
        }
        (_, false) => format!("not compiled in: build the program with the feature `{feature}`"),
        ("rpc", true) => "compiled in; no server was named".to_owned(),
        (_, true) => format!("compiled in, but {name} shows no device: check its driver, and who may use the device"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_backend_has_devices_or_a_reason() {
        let found = look(&llama_core::devices());
        assert!(found.iter().any(|backend| backend.name == "CPU" && !backend.devices.is_empty()));
        for backend in &found {
            assert_eq!(backend.devices.is_empty(), backend.why_not.is_some(), "{backend:?}");
        }
        assert!(why_not("cuda", "CUDA", true).contains("driver"));
    }
}
