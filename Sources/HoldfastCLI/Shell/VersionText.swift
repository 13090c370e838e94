internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastQuery
internal import HoldfastSource
internal import HoldfastStore
internal import HoldfastSystem

/// The output of `--version`, which is pasted in reports of faults.
enum VersionText {
  static var text: String {
    let libraries =
      CodecLibraries.versions + SourceLibraries.versions + QueryLibrary.versions + [
        LibraryVersion("libcurl", HTTPClient.libraryVersion), LibraryVersion("libexpat", XMLElement.libraryVersion),
      ]
    return ([Program.nameAndVersion, "format \(Envelope.formatVersion)"] + libraries.map(\.description))
      .joined(separator: "\n")
  }
}
