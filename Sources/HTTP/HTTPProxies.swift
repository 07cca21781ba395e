import Glibc

/// The proxies to use, as libcurl takes them from the environment (libcurl-env(3)). They may hold passwords: no rendering.
package struct HTTPProxies: Sendable, Hashable, CustomStringConvertible, CustomReflectable {
  /// For http:// addresses; empty: none.
  package var http: String
  /// For https:// addresses; empty: none.
  package var https: String
  /// Hosts, domains and networks to which no proxy leads, separated by commas.
  package var exceptions: String

  package init(http: String = "", https: String = "", exceptions: String = "") {
    self.http = http
    self.https = https
    self.exceptions = exceptions
  }

  /// - Parameter variable: the value of a variable of the environment. `HTTP_PROXY` in capitals is not looked at: a CGI
  ///   server sets it to what a client sends.
  package init(environment variable: (String) -> String?) {
    func first(_ names: String...) -> String { names.lazy.compactMap(variable).first { !$0.isEmpty } ?? "" }
    self.init(
      http: first("http_proxy", "all_proxy", "ALL_PROXY"),
      https: first("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"),
      exceptions: first("no_proxy", "NO_PROXY"))
  }

  /// Those of this process' environment.
  package static var environment: HTTPProxies {
    HTTPProxies { name in getenv(name).map { String(cString: $0) } }
  }

  package var description: String { "proxies" }
  package var customMirror: Mirror { Mirror(self, children: []) }
}
