internal import FoundationEssentials
internal import HoldfastModel
internal import HoldfastSystem

/// Asks the metadata server of a container or of a virtual machine for temporary keys.
struct MetadataService {
  /// The longest time for a connection. A metadata server is on this machine, or there is none.
  private static let connectTimeout = TimeSpan.seconds(1)
  /// The most time for an answer.
  let timeout: TimeSpan

  /// The answer of the server.
  private struct Answer: Decodable {
    let accessKeyID: String
    let secretKey: String
    let token: String
    let end: String

    private enum CodingKeys: String, CodingKey {
      case accessKeyID = "AccessKeyId"
      case secretKey = "SecretAccessKey"
      case token = "Token"
      case end = "Expiration"
    }
  }

  /// Asks the metadata server of a container.
  /// - Parameter token: the value of the header `Authorization`; `nil` to send none.
  func ask(_ address: String, token: String?) throws -> S3Credentials {
    try ask(address, header: token.map { ("Authorization", $0) })
  }

  private func ask(_ address: String, header: (name: String, value: String)?) throws -> S3Credentials {
    let body = try text(address, header: header)
    guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(body)),
      let end = TimeText.parse(answer.end)
    else { throw S3Error.noCredentials(places: "the server of metadata answers without keys") }
    return S3Credentials(
      accessKeyID: answer.accessKeyID, secretKey: answer.secretKey, sessionToken: answer.token, end: end)
  }

  /// Asks the metadata server of a virtual machine, in version 2 of Amazon's protocol.
  /// - Returns: `nil` if there is no such server, or the machine has no role.
  /// - Throws: `HTTPError` if there is a server that cannot answer for now.
  func askInstance(_ base: String) throws -> S3Credentials? {
    let tokenHeader = ("X-aws-ec2-metadata-token-ttl-seconds", "21600")
    guard let token = try textIfPresent("\(base)/latest/api/token", "PUT", header: tokenHeader) else { return nil }
    let header = ("X-aws-ec2-metadata-token", String(decoding: token, as: UTF8.self))
    let roles = "\(base)/latest/meta-data/iam/security-credentials/"
    guard let names = try textIfPresent(roles, header: header),
      let role = String(decoding: names, as: UTF8.self).split(whereSeparator: \.isNewline).first
    else { return nil }
    return try ask(roles + role, header: header)
  }

  /// - Returns: `nil` if no server is there, or it has no such text.
  private func textIfPresent(
    _ address: String, _ method: String = "GET", header: (name: String, value: String)
  ) throws -> [UInt8]? {
    do {
      return try text(address, method, header: header)
    } catch HTTPError.failed(_, _, _, wasConnected: false) {
      return nil
    } catch let error as HTTPError where error.scope == .usage {
      return nil
    }
  }

  private func text(
    _ address: String, _ method: String = "GET", header: (name: String, value: String)?
  ) throws -> [UInt8] {
    guard let url = HTTPAddress(address) else {
      throw S3Error.noCredentials(places: "the address of the server of metadata is none")
    }
    var request = HTTPRequest(method, url)
    if let header { request.headers = [header] }
    var client = HTTPClient()
    (client.connectTimeout, client.timeout) = (Self.connectTimeout, timeout)
    // Its answer holds a secret key, and no proxy leads to an address of this machine.
    client.usesProxies = false
    return try client.send(request).body
  }
}
