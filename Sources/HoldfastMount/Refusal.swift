internal import CFuse

/// The answer to a request that is refused: an error number.
struct Refusal: Error {
  let code: Int32

  private init(_ code: Int) { self.code = Int32(truncatingIfNeeded: code) }

  static let noEntry = Refusal(holdfast_fuse_no_entry)
  static let interrupted = Refusal(holdfast_fuse_interrupted)
  static let unreadable = Refusal(holdfast_fuse_input_output)
  static let noPosition = Refusal(holdfast_fuse_no_position)
  static let notADirectory = Refusal(holdfast_fuse_not_a_directory)
  static let isADirectory = Refusal(holdfast_fuse_is_a_directory)
  static let invalid = Refusal(holdfast_fuse_invalid)
  static let readOnly = Refusal(holdfast_fuse_read_only)
  static let outOfRange = Refusal(holdfast_fuse_out_of_range)
  static let noFunction = Refusal(holdfast_fuse_no_function)
  static let noAttribute = Refusal(holdfast_fuse_no_attribute)
  static let wrongProtocol = Refusal(holdfast_fuse_wrong_protocol)
}
