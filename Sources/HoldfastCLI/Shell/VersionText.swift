internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastQuery
internal import HoldfastSource
internal import HoldfastStore
internal import HoldfastSystem

/// The output of `--version`.
enum VersionText {
  /// The versions of what is in every process.
  static var text: String { text(CodecLibraries.versions) }

  /// Those of libraries that are loaded only when they are needed, too: the output of `--version --verbose`, which is
  /// pasted in reports of faults. To load them takes five times as long as all else that is printed here.
  static var textWithLoadedLibraries: String {
    text(
      CodecLibraries.versions + SourceLibraries.versions + QueryLibrary.versions + [
        LibraryVersion("libcurl", HTTPClient.libraryVersion), LibraryVersion("libexpat", XMLElement.libraryVersion),
      ])
  }

  private static func text(_ libraries: [LibraryVersion]) -> String {
    ([Program.nameAndVersion, "format \(Envelope.formatVersion)"] + libraries.map(\.description))
      .joined(separator: "\n")
  }
}
