internal import CISAL
internal import CZlib
internal import CZstd
package import HoldfastModel

/// What compresses and decompresses here.
package enum CodecLibraries {
  /// As the loaded libraries say it; of ISA-L, which cannot be asked, as its headers said it when this was built.
  package static var versions: [LibraryVersion] {
    [
      LibraryVersion("zlib", String(cString: zlibVersion())),
      LibraryVersion("ISA-L", "\(ISAL_MAJOR_VERSION).\(ISAL_MINOR_VERSION).\(ISAL_PATCH_VERSION)"),
      LibraryVersion("zstd", String(cString: ZSTD_versionString())),
    ]
  }
}
