/// What a reader refuses to exceed before it allocates (format.md, section 8), and the habits of the writer.
package enum Limits {
  package static let framePlainBytesMax = 4 << 20
  package static let frameStoredBytesMax = (4 << 20) + (64 << 10)
  package static let framesPerContainerMax = 1 << 20
  package static let envelopeBytesMax = 8 << 20
  /// Of the path of a source as it is shown: every byte as four.
  package static let sourcePathBytesMax = 4 * pathBytesMax
  /// Of a time, or of the name of a program, in a manifest.
  package static let manifestTextBytesMax = 256
  package static let featuresMax = 32
  /// Archives of all snapshots of a chain: half a petabyte.
  package static let archivesPerChainMax = 1 << 19
  package static let captureMarkBytesMax = 64
  /// Of one file: more are counted as these.
  package static let badPagesMax = 1024
  package static let recipientsMax = 64
  package static let writersMax = 1024
  package static let revisionsMax: UInt64 = 100_000
  package static let tagsMax = 32
  package static let pinReasonBytesMax = 256
  /// Of the preamble of a container: all key slots, and the longest label, a path whose every byte is shown as four.
  package static let preambleBytesMax = 32 << 10
  package static let pathBytesMax = 4095
  package static let nameBytesMax = 255
  package static let extendedAttributesMax = 1024
  package static let extendedAttributeBytesMax = 65_536
  package static let extendedAttributesBytesMax = 1 << 20
  /// Of a snapshot of a source, and of a revision of its notes: ten digits.
  package static let sequenceMax: UInt64 = 9_999_999_999
  package static let chainLengthMax = 100_000
  package static let sizeMax: UInt64 = 1 << 62
  package static let pageSizeMin = 512
  package static let pageSizeMax = 256 << 10

  /// Plain bytes of pages that the writer gathers into a frame of an archive.
  package static let archiveFrameBytes = 256 << 10
  /// Plain bytes of scattered pages that are gathered into a frame: small, because a restore has to decompress a frame for the last of its
  /// pages that no later snapshot replaced.
  package static let gatheredFrameBytes = 16 << 10
  /// Plain bytes of records in a frame of a body: small, because a replay holds one frame of every snapshot of the chain.
  package static let bodyFrameBytes = 64 << 10
  /// More is refused.
  package static let bodyFrameBytesMax = 1 << 20
  /// How many times its stored bytes the bodies of a chain may hold, beyond so many that nobody minds. Of what the writer makes no body holds more than so many
  /// times, so that no chain does.
  package static let bodyRatioMax: UInt64 = 128
  package static let bodyBytesFree: UInt64 = 256 << 20
  /// The same of a state in scratch space. It shortens paths as a body does, and is hardly longer than the records that it is made of.
  package static let stateRatioMax: UInt64 = 160
  package static let stateBytesFree: UInt64 = 256 << 20
  /// Frames in all bodies of a chain.
  package static let bodyFramesPerChainMax = 1 << 21
  /// Stored bytes at which the writer begins the next archive.
  package static let archiveBytes: UInt64 = 1 << 30
}
