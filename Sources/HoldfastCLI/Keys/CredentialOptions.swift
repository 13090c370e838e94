internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastConfiguration
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// The identities that open a sealed repository.
struct IdentityOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Identity file that opens a sealed repository. May be repeated. (environment: HOLDFAST_IDENTITY_FILE)",
      valueName: "file"), completion: .file())
  var identity: [String] = []

  @Option(
    help: ArgumentHelp(
      "Command that prints an identity file, for example from a password manager.", valueName: "command"))
  var identityCommand: String?

  func validate() throws {
    guard identity.isEmpty || identityCommand == nil else {
      throw ValidationError("--identity and --identity-command exclude each other")
    }
  }
}

/// The key with which this machine signs its snapshots.
struct WriterOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Writer key file of this machine. (environment: HOLDFAST_WRITER_KEY_FILE; default: ~/.config/holdfast/writer.key, for root /etc/holdfast/writer.key)",
      valueName: "file"), completion: .file())
  var writerKey: String?
}
