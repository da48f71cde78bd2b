"""The rule against asking for a secret, in the languages whose words for it are known; a warning not to share one is no ask.

An ask is a verb in the form of a request and, in the same clause, a secret or a wallet, with no negation and nobody else as the one who asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from app.domain.wording.rule import Draft, Rule, Spot

_CODE = r"(?:(?:\d+|six|four|eight)[- ]digit|verification|one[- ]time|security|sms|2fa|mfa|otp|authenticat\w+|log-?in|access|confirmation|backup|recovery)[- ](?:pass)?codes?"
_SECRETS = rf"(?:(?:seed|recovery|secret|backup|mnemonic|wallet)[- ](?:phrases?|words?)|mnemonics?|seeds?|private keys?|secret keys?|passwords?|passcodes?|passphrases?|pin(?: code)?s?|(?:12|24|twelve|twenty-four)[- ]words?|(?:four|six|eight|\d) digits|{_CODE}|codes? (?:that )?(?:we|you)\b|otps?|cvv|card numbers?)"
_VERBS = r"(?:enter|type(?: in)?|input|submit|send|provide|share|give|confirm|verify|validate|reply|respond|paste|fill in|upload|import|tell us|e-?mail us|message us|dm us|supply|re-?enter|disclose)"
_ADVERBS = r"(?:please|now|kindly|simply|just|also|immediately|first|then|always|quickly|after|afterwards|later|next)"
_ASK = (
    rf"(?:^|[,:(]|\b(?:please|kindly|then|and|now|first|simply|just|must|should|have to|need to|needs to|asked to|required to"
    rf"|we (?:ask|need|want|require|invite|urge) (?:you|users|customers|everyone|all \w+) to|(?:form|page|tool|site|link|button|app) to))\s*(?:{_ADVERBS}\s+)*"
)
_PICTURE = r"(?:photos?|pictures?|screenshots?|scans?|cop(?:y|ies))"
_ENGLISH = re.compile(
    rf"{_ASK}(?P<ask>{_VERBS}\b(?:(?!\bnew\b)[^.;:!?\n]){{0,50}}?\b{_SECRETS}\b"
    rf"|(?:write|reply|respond|answer|mail|e-?mail|text|call|ring|message|dm|contact|come back|get back)\b(?:(?!\b(?:if|when|trouble|problems?|issues?|difficult\w*|help|questions?|struggl\w*|stuck)\b)[^.;:!?\n]){{0,70}}?\bwith (?!a\b|new\b)[^.;:!?\n]{{0,50}}?\b{_SECRETS}\b"
    rf"|(?:send|attach|upload|post|share)\b[^.;:!?\n]{{0,20}}?\b{_PICTURE}\b[^.;:!?\n]{{0,60}}?\b{_SECRETS}\b"
    rf"|(?:take|make)\b[^.;:!?\n]{{0,20}}?\b{_PICTURE}\b[^.;:!?\n]{{0,60}}?\b{_SECRETS}\b[^.;:!?\n]{{0,60}}?\band (?:send|attach|upload|post|share|e-?mail)\b"
    rf"|write\b(?! down\b)[^.;:!?\n]{{0,40}}?\b{_SECRETS}\b to (?:us|our|the (?:support|team|helper))\b"
    r"|(?:re)?(?:connect|link|pair|sync(?:hroni[sz]e)?)\b[^.;:!?\n]{0,30}?\bwallets?\b"
    r"|(?:sign|approve|authori[sz]e)\b(?! (?:in|up|out|on|off|into)\b)(?: (?:a|an|the|this|that|our|your|following|on-chain|new|any|all))*(?: [\w-]+)?"
    r" ?\b(?:migrations?|transactions?|permits?|claims?|approvals?|messages?|signatures?|signature requests?|contracts?|transfers?|swaps?)\b)",
    re.I,
)
_ENGLISH_NO = re.compile(
    r"\b(?:not|never|nobody|no one|don't|doesn't|won't|wouldn't|mustn't|shouldn't|cannot|can't|without|avoid|refuse|ignore|beware|nor|neither|stop|refrain|instead of|rather than)\b"
    r"|\b(?:that|which|who|it|they|attackers?|scammers?|thieves|criminals|someone|anyone|anybody|[\w-]*mails?|messages?|texts?|posts?|sites?|pages?|apps?|callers?|phish\w+|copy|bots?"
    r"|popups?|pop-ups?|links?) (?:\w+ )?(?:asks?|asked|asking|tells?|told|telling|urges?|prompts?|prompted|requests?|requested|wants?|invites?|instructs?|says?|said|demands?)\b"
    r"|\b(?:was|were|been|being|got|get) asked\b|\basking (?:you|users|people|for)\b|\btrick\w*\b|\blur(?:e|ed|ing|es)\b",
    re.I,
)
_CLAUSE = re.compile(r"[^.;:!?\n。！？；]+")


@dataclass(frozen=True, slots=True)
class _Tongue:
    """The words of one language: what a request looks like, and what makes it a warning."""

    ask: re.Pattern[str]
    no: re.Pattern[str]


def _tongue(verbs: str, secrets: str, link: str, wallets: str, no: str) -> _Tongue:
    """For languages in which the verb comes first."""
    between = r"[^.;:!?\n。！？；]{0,45}?"
    ask = rf"(?<!\w)(?P<ask>(?:{verbs})(?!\w){between}(?<!\w)(?:{secrets})|(?:{link})(?!\w){between}(?<!\w)(?:{wallets}))(?!\w)"
    return _Tongue(re.compile(ask, re.I), re.compile(rf"(?<!\w)(?:{no})(?!\w)", re.I))


_TONGUES = (
    _tongue(
        r"introduc[ea]|introduzca[ns]?|ingres[ea]n?|escrib[ea]n?|escríbenos|env[ií][ea]n?|envíanos|confirm[ea]n?|compart[ea]n?|verifi(?:ca|que)n?|peg(?:a|ue)n?|facilit[ea]n?|proporcion[ea]n?",
        r"(?:frase|palabras) (?:semillas?|de recuperación|secretas?|de respaldo)|claves? privadas?|llaves? privadas?|contraseñas?|código de (?:verificación|seguridad|un solo uso|acceso)|pin",
        r"conect[ea]n?|vincul[ea]n?", r"carteras?|billeteras?|monederos?|wallets?", r"no|nunca|jamás|ni|nadie|evit[ea]n?|sin",
    ),
    _tongue(
        r"gib|gebt|geben sie|sende|sendet|senden sie|schicke?|schickt|schicken sie|bestätige|bestätigt|bestätigen sie|tippe|teile|teilt|teilen sie|nenne|nennen sie",
        r"seed(?:-?phrase)?|wiederherstellungs(?:phrase|wörter|satz)|passwort|passwörter|kennwort|privat(?:en|e|er) (?:schlüssel|key)|private[- ]key|pin|tan|(?:bestätigungs|sicherheits|einmal|sms-?)code",
        r"verbinde|verbindet|verbinden sie|verknüpfe|verknüpfen sie", r"wallets?|geldbörse", r"nicht|nie|niemals|kein\w*|niemand|ohne",
    ),
    _tongue(
        r"entrez|entre|saisissez|saisis|envoyez|envoie|confirmez|confirme|communiquez|communique|partagez|partage|tapez|fournissez|indiquez|renseignez",
        r"phrases? (?:de récupération|secrète|seed|de départ|mnémonique)|clés? privées?|mots? de passe|code (?:de vérification|de sécurité|reçu|sms|à usage unique)|pin",
        r"connectez|connecte|reliez|associez", r"portefeuilles?|wallets?", r"ne|n'\w+|n’\w+|jamais|pas|personne|sans|ni",
    ),
    _tongue(
        r"digite|digitem|insira|insiram|introduza|envie|enviem|confirme|confirmem|compartilhe|partilhe|informe|informem|forneça|escreva|cole",
        r"frases?[- ](?:de recuperação|semente|secreta|seed)|seed(?: phrase)?|chaves? privadas?|senhas?|palavras?-passe|código de (?:verificação|segurança|uso único|acesso)|pin",
        r"conecte|conectem|ligue|vincule", r"carteiras?|wallets?", r"não|nunca|jamais|ninguém|nem|sem|evite",
    ),
    _tongue(
        r"inserisci|inserite|inserisca|invia|inviate|invii|conferma|confermate|confermi|digita|digitate|condividi|condividete|comunica|comunicate|fornisci|fornite|inviaci|scrivi",
        r"frasi? (?:di recupero|segreta|seed|mnemonica)|seed(?: phrase)?|chiav[ei] privat[ae]|password|codice (?:di verifica|di sicurezza|sms|monouso)|pin",
        r"collega|collegate|connetti|connettete", r"wallet|portafogli[o]?", r"non|mai|né|nessuno|senza",
    ),
    _tongue(
        r"voer|vul|typ|stuur|bevestig|deel|geef|verstrek", r"herstel(?:zin|frase|woorden)|seed ?phrase|privésleutel|priv[eé] ?sleutel|wachtwoord(?:en)?|pincode|verificatiecode|beveiligingscode",
        r"verbind|koppel", r"wallets?|portemonnee", r"niet|nooit|geen|niemand|zonder",
    ),
    _tongue(
        r"wpisz|podaj|wyślij|potwierdź|wprowadź|prześlij|udostępnij", r"fraz[ęyaą] (?:odzyskiwania|seed|odzyskującą)|seed|klucz(?:a)? prywatn(?:y|ego)|hasło|kod (?:weryfikacyjny|sms|jednorazowy)|pin",
        r"połącz|podłącz", r"portfel", r"nie|nigdy|nikt|bez",
    ),
    _tongue(
        r"введите|введи|отправьте|отправь|пришлите|пришли|сообщите|подтвердите|укажите|предоставьте",
        r"(?:сид|seed|секретн\w+|мнемоническ\w+)[- ]?фраз\w*|фраз\w+ (?:для )?восстановления|приватн\w+ ключ\w*|закрыт\w+ ключ\w*|парол\w+|код\w* (?:подтверждения|из смс|безопасности)",
        r"подключите|подключи|привяжите", r"кошел\w+", r"не|никогда|ни|никто|без",
    ),
    _Tongue(
        re.compile(r"(?P<ask>(?:输入|提供|发送|提交|填写|告知|輸入|發送|提供|填寫)[^。！？；\n，,]{0,12}(?:助记词|助記詞|恢复短语|私钥|私鑰|密码|密碼|验证码|驗證碼)|(?:请|請)(?:连接|連接)[^。！？；\n，,]{0,8}(?:钱包|錢包))"),
        re.compile(r"不|勿|别|別|切忌|禁止|如果|若|曾|过|過|了"),
    ),
    _Tongue(
        re.compile(r"(?P<ask>(?:シード(?:フレーズ)?|リカバリーフレーズ|復元フレーズ|秘密鍵|パスワード|認証コード|ウォレット)[^。！？\n]{0,12}(?:入力|送信|提供|共有|接続|確認)してください)"), re.compile(r"しないで|(?!)"),
    ),
    _Tongue(
        re.compile(r"(?P<ask>(?:시드 ?(?:문구|구문)?|복구 ?(?:문구|구문)|개인 ?키|비밀번호|인증 ?(?:번호|코드)|지갑)(?:을|를)?[^.!?\n]{0,15}(?:입력|전송|제출|제공|연결|공유)(?:해 ?주세요|하세요|하십시오|해 ?주십시오))"), re.compile(r"(?!)"),
    ),
    _Tongue(
        re.compile(r"(?<!\w)(?P<ask>(?:kurtarma (?:ifade|cümle)\w*|gizli (?:ifade|anahtar)\w*|özel anahtar\w*|şifre\w*|parola\w*|doğrulama kod\w*|cüzdan\w*)[^.!?\n]{0,40}(?:girin|gönderin|paylaşın|onaylayın|bağlayın))(?!\w)", re.I),
        re.compile(r"(?<!\w)(?:yeni|asla)(?!\w)", re.I),
    ),
)  # fmt: skip

_TOLD = "This asks readers for what a thief would ask for. Never ask for a secret, to connect a wallet or to sign; take it out."


def _asks_secret(draft: Draft) -> Iterator[Spot]:
    text = draft.text.replace("’", "'")
    for link in draft.links:  # a dot in a link ends no clause
        if link.end - link.start > 8:
            text = text[: link.start] + "https   " + "x" * (link.end - link.start - 8) + text[link.end :]
    for clause in _CLAUSE.finditer(text):
        found = _english(clause[0]) or next(filter(None, (_other(clause[0], tongue) for tongue in _TONGUES)), None)
        if found:
            yield Spot(clause.start() + found.start("ask"), clause.start() + found.end("ask"), _TOLD)


def _english(clause: str) -> re.Match[str] | None:
    """The first ask of a clause that nothing before it turns into a warning or a report."""
    for found in _ENGLISH.finditer(clause):
        if not _ENGLISH_NO.search(clause[: found.end("ask")]):
            return found
    return None


def _other(clause: str, tongue: _Tongue) -> re.Match[str] | None:
    found = tongue.ask.search(clause)
    return found if found and not tongue.no.search(clause) else None


ASKS_SECRET = Rule(
    "asks-secret",
    "block",
    "It asks readers for a seed phrase, a key, a password or a code, or to connect a wallet, sign or approve something.",
    "no honest company asks for it; a thief with our account would",
    "Enter your recovery phrase at https://help.example.com/check",
    "We never ask for your recovery phrase.",
    _asks_secret,
)
RULES = (ASKS_SECRET,)
