[package]
name = "provisioning"
edition = "v0.11.0"
version = "3.2.1"
