//! `llama-cli devices`: what this machine offers to compute on.

use std::fmt::Write;

use clap::Args;
use llama_core::{Device, DeviceKind, devices};

use crate::ui;

/// List the devices that models can run on.
///
/// The name at the start of a line is what --devices takes.
#[derive(Debug, Args)]
pub(crate) struct DevicesArgs {
    /// Print JSON; memory is in bytes, 0 where a device does not tell
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(args: &DevicesArgs) -> anyhow::Result<()> {
    let devices = devices();
    let text = if args.json { serde_json::to_string_pretty(&devices)? + "\n" } else { table(&devices)? };
    ui::result(&text)?;
    Ok(())
}

fn table(devices: &[Device]) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    let width = devices.iter().map(|device| device.name.len()).max().unwrap_or(0);
    for device in devices {
        let (kind, memory) = (kind(device.kind), memory(device));
        writeln!(text, "{:width$}  {kind}, {memory}, {} ({})", device.name, device.description, device.backend)?;
    }
    Ok(text)
}

/// How much memory a device has, for people.
pub(crate) fn memory(device: &Device) -> String {
    match (device.memory_free, device.memory_total) {
        (_, 0) => "memory unknown".to_owned(),
        (free, total) => format!("{} of {} MiB free", free >> 20, total >> 20),
    }
}

/// What a device is, for people.
pub(crate) fn kind(kind: DeviceKind) -> &'static str {
    match kind {
        DeviceKind::Cpu => "CPU",
        DeviceKind::Gpu => "GPU",
        DeviceKind::IntegratedGpu => "integrated GPU",
        DeviceKind::Accelerator => "accelerator",
        _ => "other",
    }
}
