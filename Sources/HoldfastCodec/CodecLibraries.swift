internal import CISAL
internal import CZlib
internal import CZstd
package import HoldfastModel

/// The compression libraries in use.
package enum CodecLibraries {
  /// Name and version of each library, as the loaded library reports it. ISA-L cannot be asked: its version is that of
  /// the headers at build time.
  package static var versions: [LibraryVersion] {
    [
      LibraryVersion("zlib", String(cString: zlibVersion())),
      LibraryVersion("ISA-L", "\(ISAL_MAJOR_VERSION).\(ISAL_MINOR_VERSION).\(ISAL_PATCH_VERSION)"),
      LibraryVersion("zstd", String(cString: ZSTD_versionString())),
    ]
  }
}
