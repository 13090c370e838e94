internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// What `--version` prints: whoever reports a fault pastes it.
enum VersionText {
  static var text: String {
    let libraries =
      CodecLibraries.versions + SourceLibraries.versions + [LibraryVersion("libcurl", HTTPClient.libraryVersion)]
    return ([Program.nameAndVersion, "format \(Envelope.formatVersion)"] + libraries.map(\.description))
      .joined(separator: "\n")
  }
}
