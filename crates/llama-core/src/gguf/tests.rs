mod bytes;
mod files;
mod header;
mod preflight;
