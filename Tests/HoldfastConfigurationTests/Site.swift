import HoldfastConfiguration
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport

/// A directory with configuration files, and what is made of them.
struct Site {
  let directory = TemporaryDirectory()
  var environment: [String: String] = [:]
  var flags = FlagValues()

  var main: Path { directory.appending("holdfast.yaml") }

  func write(_ text: String, to name: String = "holdfast.yaml") {
    let path = directory.appending(name)
    if let parent = path.parent { TestFiles.makeDirectory(parent) }
    TestFiles.write(text, to: path)
    TestFiles.setMode(path, 0o644)
  }

  func load(checksSecrets: Bool = false) throws -> Settings? {
    var location = ConfigurationLocation()
    location.system = directory.path
    return try load(location, checksSecrets: checksSecrets)
  }

  func load(_ location: ConfigurationLocation, checksSecrets: Bool = false) throws -> Settings? {
    let environment = environment
    return try ConfigurationLoader(location, files: FileSystem(), environment: { environment[$0] }) { text in
      ["none", "deflate", "zstd", "zstd:3"].contains(text)
    }.load(flags: flags, checksSecrets: checksSecrets)
  }

  /// What is wrong, with the directory substituted; `nil` where nothing is.
  func complaint(checksSecrets: Bool = false) -> String? {
    do {
      _ = try load(checksSecrets: checksSecrets)
      return nil
    } catch {
      return "\(error)".replacing(String(decoding: directory.path.bytes, as: UTF8.self), with: "DIR")
    }
  }
}

/// Text of a configuration that is sound, for tests of single keys.
enum Sound {
  static let text = """
    repositories:
      shop: {path: /backup/shop}
    sources:
      orders: {path: /srv/orders}

    """
}
