/// Limits that a reader checks before it allocates (format.md, section 8), and sizes that the writer uses.
package enum Limits {
  package static let framePlainBytesMax = 4 << 20
  package static let frameStoredBytesMax = (4 << 20) + (64 << 10)
  package static let framesPerContainerMax = 1 << 20
  package static let envelopeBytesMax = 8 << 20
  /// The longest displayed path of a source: each byte may be shown as four characters (`\xNN`).
  package static let sourcePathBytesMax = 4 * pathBytesMax
  /// The longest time or program name in a manifest.
  package static let manifestTextBytesMax = 256
  package static let featuresMax = 32
  /// The archives of all snapshots of a chain: half a petabyte.
  package static let archivesPerChainMax = 1 << 19
  package static let captureMarkBytesMax = 64
  /// Bad pages that are listed for one file; further ones are not.
  package static let badPagesMax = 1024
  package static let recipientsMax = 64
  package static let writersMax = 1024
  package static let revisionsMax: UInt64 = 100_000
  package static let tagsMax = 32
  package static let pinReasonBytesMax = 256
  /// The longest grace period that can be promised: a million days.
  package static let graceSecondsMax: UInt64 = 86_400_000_000
  /// The preamble of a container: all key slots, and the longest label (a path in which each byte is shown as four).
  package static let preambleBytesMax = 32 << 10
  package static let pathBytesMax = 4095
  package static let nameBytesMax = 255
  package static let extendedAttributesMax = 1024
  package static let extendedAttributeBytesMax = 65_536
  package static let extendedAttributesBytesMax = 1 << 20
  /// The highest number of a snapshot of a source, and of a revision of its notes: ten digits.
  package static let sequenceMax: UInt64 = 9_999_999_999
  /// The highest number of a lease: ten digits.
  package static let leaseNumberMax: UInt64 = 9_999_999_999
  /// The times that the hosts of a source may take turns in serving it.
  package static let erasMax = 10_000
  package static let chainLengthMax = 100_000
  package static let sizeMax: UInt64 = 1 << 62
  package static let pageSizeMin = 512
  package static let pageSizeMax = 256 << 10

  /// Plain bytes of pages that the writer gathers into one frame of an archive.
  package static let archiveFrameBytes = 256 << 10
  /// Plain bytes of scattered pages that are gathered into one frame. It is small because a restore decompresses the
  /// whole frame even when it needs only one of its pages.
  package static let gatheredFrameBytes = 16 << 10
  /// Plain bytes of records in a frame of a body. It is small because a replay holds one frame of every snapshot of the
  /// chain.
  package static let bodyFrameBytes = 64 << 10
  /// A larger frame of a body is refused.
  package static let bodyFrameBytesMax = 1 << 20
  /// The largest ratio of plain to stored bytes of the bodies of a chain, beyond `bodyBytesFree`. The writer keeps
  /// every body below it, and so every chain.
  package static let bodyRatioMax: UInt64 = 128
  package static let bodyBytesFree: UInt64 = 256 << 20
  /// The same ratio for a state in scratch space. A state shortens paths as a body does, and is hardly longer than the
  /// records that it is made from.
  package static let stateRatioMax: UInt64 = 160
  package static let stateBytesFree: UInt64 = 256 << 20
  /// Frames in all bodies of a chain.
  package static let bodyFramesPerChainMax = 1 << 21
  /// Stored bytes at which the writer begins the next archive.
  package static let archiveBytes: UInt64 = 1 << 30
}
