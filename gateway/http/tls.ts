/** The certificate that the gateway shows, read again when its files change. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { unwatchFile, watchFile } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { type Config, ConfigError } from '../../platform/config.js';
import type { Logger } from '../../platform/logging.js';
import { settings } from '../../platform/settings.js';

export interface Certificate {
  cert: string;
  key: string;
}

export interface CertificateFiles {
  certFile: string;
  keyFile: string;
}

/** Where the certificate is; undefined for plain HTTP. @throws ConfigError where only one of the files is set */
export function certificateFiles({
  tlsCertFile: certFile,
  tlsKeyFile: keyFile,
}: Pick<Config, 'tlsCertFile' | 'tlsKeyFile'>): CertificateFiles | undefined {
  if (certFile === undefined && keyFile === undefined) return undefined;
  if (certFile === undefined || keyFile === undefined) {
    const [given, missing] =
      keyFile === undefined ? (['tlsCertFile', 'tlsKeyFile'] as const) : (['tlsKeyFile', 'tlsCertFile'] as const);
    throw new ConfigError(`${settings[given].env} is set, but ${settings[missing].env} is not: HTTPS needs both.`);
  }
  return { certFile, keyFile };
}

/** @throws ConfigError that names the file and what is wrong with it */
export async function readCertificate({ certFile, keyFile }: CertificateFiles, logger: Logger): Promise<Certificate> {
  const read = (file: string, env: string) =>
    readFile(file, 'utf8').catch((error: Error) => {
      throw new ConfigError(`${env} cannot be read: ${error.message}.`);
    });
  const [cert, key] = await Promise.all([
    read(certFile, settings.tlsCertFile.env),
    read(keyFile, settings.tlsKeyFile.env),
  ]);
  const parse = <T>(make: () => T, file: string, env: string, what: string): T => {
    try {
      return make();
    } catch {
      throw new ConfigError(`${env} ${file} holds no ${what}.`);
    }
  };
  const leaf = parse(() => new X509Certificate(cert), certFile, settings.tlsCertFile.env, 'PEM certificate');
  const privateKey = parse<KeyObject>(
    () => createPrivateKey(key),
    keyFile,
    settings.tlsKeyFile.env,
    'PEM private key without a passphrase',
  );
  if (!leaf.checkPrivateKey(privateKey)) {
    throw new ConfigError(`The private key in ${keyFile} is not that of the certificate in ${certFile}.`);
  }
  if (leaf.validToDate.getTime() < Date.now()) {
    logger.warn({ certFile, validTo: leaf.validTo }, 'the TLS certificate has expired');
  }
  return { cert, key };
}

/** How often the files are looked at: they change a few times a year. */
const checkEveryMs = 5_000;

/**
 * Calls back with every new pair of certificate and key. One that is broken or half written is logged and left out; the
 * next change is looked at again. Polled, since replaced links and network volumes send no events.
 * @returns what ends it
 */
export function watchCertificate(
  files: CertificateFiles,
  logger: Logger,
  use: (certificate: Certificate) => void,
  everyMs = checkEveryMs,
): () => void {
  const reload = () => {
    readCertificate(files, logger).then(
      (certificate) => {
        use(certificate);
        logger.info({ certFile: files.certFile }, 'the TLS certificate was read again');
      },
      (error: Error) => logger.warn({ reason: error.message }, 'the changed TLS certificate is not used yet'),
    );
  };
  for (const file of [files.certFile, files.keyFile]) watchFile(file, { interval: everyMs, persistent: false }, reload);
  return () => {
    for (const file of [files.certFile, files.keyFile]) unwatchFile(file, reload);
  };
}
