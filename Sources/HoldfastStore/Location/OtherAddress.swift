/// Text that names a server in the form of other programs: `ssh://backup@nas/srv`, `backup@nas:/srv`, `S3:https://…`.
enum OtherAddress {
  /// Schemes of other programs for a bucket.
  private static let bucketSchemes: Set = ["s3", "s3a", "s3n", "http", "https", "minio", "b2", "gs"]

  /// Returns the scheme of the location that is probably meant; `nil` if the text is a path.
  /// - Parameter isDirectory: returns true if a directory has the text as its name. It matters only if the text looks
  ///   like a server because of its `@` and `:`.
  static func likelyScheme(of text: String, isDirectory: (String) -> Bool) -> StoreScheme? {
    let first = text.prefix { $0 != "/" }
    guard let colon = first.firstIndex(of: ":") else { return nil }
    let word = first[..<colon]
    let scheme = word.lowercased()
    let isOurs = [StoreScheme.sftp, .s3].contains { $0.rawValue == scheme }
    if isScheme(word), isOurs || text[colon...].hasPrefix("://") {
      return scheme == "file" ? .directory : bucketSchemes.contains(scheme) ? .s3 : .sftp
    }
    return first.contains("@") && !isDirectory(text) ? .sftp : nil
  }

  /// Returns true if a word has the form of a scheme (RFC 3986).
  private static func isScheme(_ word: Substring) -> Bool {
    word.first.map { $0.isASCII && $0.isLetter } ?? false
      && word.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "+-.".contains($0)) }
  }
}
