"""Rules as packs against prompt attacks have them: generated from a seed, any number, all different.

The vocabulary is that of the field; the shapes (alternations with white space between them, bounded gaps, a few
unbounded ones, code, secrets, other scripts) and their shares are those of published packs.
"""

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from bastion.engine import Action, RuleSpec, Severity, Views
from bastion.engine.detectors import LANGUAGES
from bastion.engine.rules import DEFAULT_LANGUAGE
from bastion.services.rules.transfer import read_rules

SEED: Final = 20_261_123
LONGEST: Final = 600
"""Characters of one expression."""


@dataclass(frozen=True, slots=True)
class Topic:
    """What a phrase orders and of what; a blank stands for white space, the rest is an expression already."""

    verbs: str
    qualities: str
    things: str


TOPICS: Final = {
    "injection": Topic(
        "ignore,disregard,forget,skip,overlook,drop,discard,dismiss,bypass,override,overrule,cancel,void,nullify,erase,"
        "abandon,neglect,set aside,pay no attention to,do not (?:follow|obey),don'?t (?:follow|obey),stop following,"
        "disobey,get rid of,throw away,reset,clear,wipe,remove",
        "previous(?:ly)?,prior,above,earlier,preceding,foregoing,former,initial,original,existing,old,past,current,"
        "system,hidden,default,given,last,first",
        "instructions?,rules?,prompts?,directives?,guidelines?,commands?,orders?,directions?,constraints?,messages?,"
        "restrictions?,context,conversations?,polic(?:y|ies),programming,training,tasks?,requests?,text,limits?",
    ),
    "prompt_leak": Topic(
        "reveal,show,print,repeat,display,output,expose,disclose,dump,echo,recite,share,leak,quote,list,spell out,"
        "tell me,give me,write (?:down|out),summari[sz]e,translate,paraphrase,copy,return,encode,reproduce,read back",
        "system,hidden,secret,initial,original,internal,confidential,full,entire,exact,complete,verbatim,raw,developer,"
        "base,pre-?set,underlying,private",
        "prompts?,instructions?,messages?,rules,guidelines,configuration,settings,directives?,preamble,persona,context,"
        "system message,tool definitions?,function schemas?,memor(?:y|ies),knowledge base,training data",
    ),
    "safety": Topic(
        "disable,turn off,switch off,deactivate,remove,bypass,circumvent,evade,lift,suspend,unlock,break,violate,skip,"
        "get around,work around,override,defeat,kill,relax,loosen,without regard to,free yourself from",
        "safety,content,ethical,moral,security,moderation,usage,internal,strict,built-?in,openai'?s?,anthropic'?s?,"
        "google'?s?,corporate,legal,all,any",
        "filters?,guard-?rails?,restrictions?,polic(?:y|ies),guidelines,protocols?,limitations?,censorship,safeguards?,"
        "checks?,boundaries,controls?,mechanisms?,measures,alignment,refusals?",
    ),
    "harmful": Topic(
        "build,make,create,construct,assemble,synthesi[sz]e,cook,prepare,produce,manufacture,obtain,buy,acquire,"
        "modify,detonate,convert,smuggle,hide",
        "home-?made,improvised,untraceable,illegal,undetectable,powerful,pipe,chemical,nerve,dirty,ghost,automatic,"
        "plastic,silent,biological",
        "bombs?,explosives?,weapons?,firearms?,silencers?,poisons?,toxins?,napalm,thermite,meth(?:amphetamine)?,"
        "fentanyl,nerve agents?,ricin,sarin,grenades?,ammunition,detonators?",
    ),
    "malware": Topic(
        "write,code,create,develop,generate,program,build,give me,design,compile,deploy,obfuscate,pack,inject,install,"
        "spread,drop,implement",
        "undetectable,polymorphic,fileless,stealthy,working,simple,python,powershell,windows,linux,android,macos,"
        "self-?replicating,metamorphic,weaponi[sz]ed,custom",
        "keyloggers?,ransomware,trojans?,worms?,viruses,virus,rootkits?,botnets?,backdoors?,spyware,malware,exploits?,"
        "reverse shells?,web-?shells?,cryptominers?,droppers?,info-?stealers?,shellcode,loaders?",
    ),
    "fraud": Topic(
        "write,draft,compose,create,generate,craft,send,design,forge,fake,impersonate,clone,spoof,counterfeit,fabricate",
        "convincing,realistic,urgent,fake,fraudulent,official-?looking,targeted,mass,spear,bank,tax,payroll,invoice,"
        "government,microsoft,paypal",
        "phishing (?:e-?mails?|pages?|sites?|messages?),e-?mails?,invoices?,login pages?,passports?,documents?,"
        "identit(?:y|ies),receipts?,cheques?,licen[cs]es?,certificates?,reviews?,sms messages?,signatures?",
    ),
    "theft": Topic(
        "steal,dump,extract,exfiltrate,harvest,collect,grab,scrape,crack,brute-?force,sniff,intercept,read,list,export,"
        "download,retrieve,fetch",
        "user,admin,stored,saved,browser,session,database,customer,private,plaintext,hashed,bank,credit card,"
        "environment,cloud,aws",
        "passwords?,credentials?,cookies?,tokens?,api keys?,secrets?,hashes,private keys?,card numbers?,accounts?,"
        "records?,wallets?,seed phrases?,variables?,backups?,session ids?",
    ),
    "exfiltration": Topic(
        "send,upload,post,forward,transmit,e-?mail,copy,leak,push,submit,append,deliver,pipe,relay,sync,transfer",
        "entire,whole,full,complete,confidential,internal,previous,chat,conversation,customer,private,recent,sensitive,"
        "all,user,company",
        "history,conversations?,data,files?,documents?,messages?,contents?,transcripts?,contacts?,calendars?,inbox,"
        "attachments?,logs?,source code,databases?,results?",
    ),
    "agent_abuse": Topic(
        "call,invoke,execute,run,trigger,use,launch,start,schedule,approve,authori[sz]e,confirm,enable,register,"
        "replace,redefine,modify,delete,grant",
        "admin,shell,file,browser,delete,payment,search,external,unapproved,hidden,remote,system,database,privileged,"
        "background,plugin",
        "tools?,functions?,commands?,plugins?,actions?,apis?,webhooks?,scripts?,agents?,permissions?,transactions?,"
        "payments?,workflows?,jobs?,servers?,connectors?",
    ),
    "memory": Topic(
        "remember,memori[sz]e,store,save,keep in mind,never forget,from now on,always,persist,record,add,note,retain,"
        "treat,learn,update",
        "permanent(?:ly)?,long-?term,future,every,all,new,following,core,persistent,user,updated,important,trusted,"
        "these,session,next",
        "memor(?:y|ies),instructions?,facts?,preferences?,sessions?,conversations?,answers?,responses?,rules?,profiles?,"
        "behaviou?rs?,contexts?,repl(?:y|ies),documents?,summar(?:y|ies)",
    ),
    "encoding": Topic(
        "decode,decrypt,encode,translate,convert,deobfuscate,unscramble,reverse,interpret,execute,follow,parse,evaluate,"
        "answer,respond,reply,read",
        "base-?64,rot-?13,hex(?:adecimal)?,morse,binary,caesar,ascii,url-?encoded,unicode,leet(?:speak)?,pig latin,"
        "braille,base32,gzip,reversed,emoji",
        "text,strings?,messages?,instructions?,payloads?,cipher,codes?,input,words?,commands?,content,blocks?,letters?,"
        "prompts?,sequences?,output",
    ),
}

DETERMINERS: Final = "all,all of,any,every,the,your,my,these,those,this,that,its,our,each of,of,any of,all the"
PERSONAS: Final = (
    "DAN,STAN,DUDE,AIM,evil-?bot,freedomgpt,betterdan,mongo tom,kevin,machiavelli,chaosgpt,sydney,dev(?:eloper)? mode,"
    "god-?mode,hacker,villain,terrorist,grandmother,grandma,linux terminal,root shell,sql console,unfiltered ai,"
    "uncensored (?:model|assistant|chatbot),criminal,dictator,expert (?:chemist|hacker),rogue ai,shadow self"
)
BEGINNINGS: Final = (
    "you are,you're,act as,act like,pretend (?:to be|you are),role-?play as,imagine (?:you are|being),behave like,"
    "simulate,become,take the role of,speak as,answer as,respond as,assume the (?:role|identity) of,switch to,emulate,"
    "you will (?:be|play),let'?s play,enter"
)
VENDORS: Final = (
    "adobe,airtable,algolia,alibaba,asana,atlassian,azure,beamer,bitbucket,cloudflare,codecov,coinbase,confluent,"
    "contentful,databricks,datadog,digitalocean,discord,doppler,dropbox,duffel,dynatrace,easypost,etsy,facebook,fastly,"
    "finicity,flickr,flutterwave,frame,freshbooks,gitlab,gocardless,grafana,heroku,hubspot,intercom,jfrog,kraken,kucoin,"
    "launchdarkly,linear,linkedin,lob,mailchimp,mailgun,mapbox,mattermost,messagebird,netlify,newrelic,nytimes,okta,"
    "openai,plaid,planetscale,postman,prefect,pulumi,rapidapi,readme,sendgrid,sentry,shippo,shopify,sidekiq,slack,"
    "snyk,square,squarespace,stripe,sumologic,telegram,terraform,twilio,twitch,twitter,typeform,vault,yandex,zendesk"
)
PREFIXES: Final = (
    "AKIA,ASIA,AGPA,AIDA,AROA,ghp_,gho_,ghu_,ghs_,ghr_,github_pat_,glpat-,xoxb-,xoxp-,xapp-,sk-,sk-proj-,sk-ant-,AIza,"
    "ya29\\.,npm_,pypi-,SG\\.,hf_,shpat_,shpss_,dop_v1_,sq0atp-,rk_live_,sk_live_,pk_live_,EAACEdEose0cBA,key-,dapi,"
    "pscale_tkn_,lin_api_,PMAK-,pul-,rubygems_,sntrys_,sl\\.,nvapi-,gsk_,r8_,tskey-,dckr_pat_,figd_,glsa_,hvs\\.,ops_eyJ"
)
FOREIGN: Final = {
    # Verbs, what stands between, qualities, things; the last says what separates words.
    "ru": (
        "игнорируй,забудь(?:те)?,не обращай внимания на,отмени(?:те)?,пропусти,покажи(?:те)?,раскрой,выведи,повтори",
        "все,мне,свои,твои,эти",
        "предыдущие,прежние,прошлые,системные,скрытые,исходные,вышеуказанные",
        "инструкции,указания,правила,команды,подсказки,ограничения,сообщения",
        r"\s+",
    ),
    "de": (
        "ignorier(?:e|en),vergiss,vergessen Sie,missachte,übergehe,zeig(?:e)? mir,gib,wiederhole,verrate",
        "alle,bitte,mir,die,deine,Ihre",
        "vorherigen,bisherigen,obigen,früheren,geheimen,ursprünglichen,vorangegangenen",
        "Anweisungen,Regeln,Befehle,Vorgaben,Anleitungen,Einschränkungen,Systemprompts?",
        r"\s+",
    ),
    "es": (
        "ignora,ignore,olvida,olvide,omite,descarta,muestra,revela,muéstrame,imprime,repite,desobedece",
        "todas,las,tus,sus,me,todas las",
        "anteriores,previas,secretas,ocultas,iniciales,originales,del sistema",
        "instrucciones,reglas,órdenes,indicaciones,directrices,restricciones,normas",
        r"\s+",
    ),
    "fr": (
        "ignore[rz]?,oublie[rz]?,ne tiens pas compte de,néglige[rz]?,affiche[rz]?,révèle[rz]?,montre(?:-moi)?",
        "toutes,les,tes,vos,toutes les,moi",
        "précédentes,antérieures,ci-dessus,secrètes,initiales,cachées,du système",
        "instructions,règles,consignes,directives,commandes,restrictions,indications",
        r"\s+",
    ),
    "pt": (
        "ignore,ignora,esqueça,esquece,desconsidere,mostre,revele,imprima,repita,desobedeça",
        "todas,as,suas,tuas,me,todas as",
        "anteriores,prévias,secretas,ocultas,iniciais,do sistema",
        "instruções,regras,ordens,diretrizes,restrições,orientações",
        r"\s+",
    ),
    "it": (
        "ignora,ignorate,dimentica,trascura,mostra(?:mi)?,rivela,stampa,ripeti,disobbedisci",
        "tutte,le,tue,vostre,tutte le",
        "precedenti,anteriori,segrete,nascoste,iniziali,di sistema",
        "istruzioni,regole,direttive,indicazioni,restrizioni,ordini",
        r"\s+",
    ),
    "ar": (
        "تجاهل,انس,أهمل,اكشف,أظهر,اعرض,كرر,تجاوز",
        "جميع,كل,لي,هذه",
        "التعليمات,القواعد,الأوامر,الإرشادات,القيود,التوجيهات",
        "السابقة,الأولية,السرية,المخفية,أعلاه,الأصلية",
        r"\s+",
    ),
    "zh": (
        "忽略,无视,忘记,忘掉,不要理会,绕过,显示,透露,输出,重复,告诉我,泄露",
        "所有,全部,你的,一切,这些",
        "之前,以上,前面,先前,系统,隐藏,原始,上述",
        "的?指令,的?指示,的?规则,的?提示词?,的?要求,的?限制,的?命令",
        r"\s*",
    ),
    "ja": (
        "無視して,忘れて,表示して,教えて,出力して,破棄して,従わないで",
        "全て,すべて,あなたの,この",
        "以前の,上記の,これまでの,最初の,秘密の,システムの",
        "指示,命令,ルール,プロンプト,制約,規則",
        r"\s*",
    ),
    "ko": (
        "무시하고,무시해,잊어,잊고,보여줘,공개해,출력해,반복해",
        "모든,너의,전부,당신의",
        "이전의?,위의,앞의,시스템,숨겨진,초기",
        "지시(?:사항)?,명령,규칙,프롬프트,제한,지침",
        r"\s*",
    ),
}
INVISIBLE: Final = (
    r"\u200b-\u200f,\u2060-\u2064,\ufeff,\u00ad,\u202a-\u202e,\u2066-\u2069,\u2028-\u202f,\U000e0000-\U000e007f,"
    r"\ufe00-\ufe0f,\u200b\u200c\u200d"
)
SELDOM_INVISIBLE: Final = r"\u180e,\u115f\u1160,\u3164,\uffa0,\u034f,\U000e0100-\U000e01ef,\ufff9-\ufffb,\u17b4\u17b5"
LOOKALIKES: Final = {
    "a": "aа@4",
    "b": "b8",
    "c": "cс",
    "e": "eе3",
    "g": "g9q",
    "i": "iі1!|",
    "l": "l1|",
    "o": "oо0",
    "p": "pр",
    "s": "s5$",
    "t": "t7+",
    "u": "uυ",
    "y": "yу",
}
DISGUISED: Final = "ignore,bypass,system,prompt,jailbreak,password,instructions,exploit,override,secret,hacker,malware"

Author = Callable[["Pen"], str]


class Pen:
    """Writes parts of expressions, in one author's habits; every choice comes from the generator given."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.space = dice.choices((r"\s+", r"\s{1,5}", r"\W+", r"\W{1,3}", r"[\s_-]+", " "), (72, 6, 6, 6, 4, 6))[0]
        self.opening = dice.choices(("(?:", "("), (80, 20))[0]
        self.edge = dice.choices((r"\b", ""), (75, 25))[0]
        # The few that list every synonym make the long tail of lengths.
        self.wealth = dice.choices((0.6, 1.0, 1.8, 4.0), (25, 45, 22, 8))[0]

    def pick(self, *choices: str) -> str:
        return self.dice.choice(choices)

    def number(self, least: int, most: int) -> int:
        return self.dice.randint(least, most)

    def often(self, share: float) -> bool:
        return self.dice.random() < share

    def words(self, words: str, least: int, most: int) -> str:
        """Some of the words, which commas part, in their order, as an alternation."""
        choices = words.split(",")
        count = min(len(choices), max(1, round(self.dice.randint(least, most) * self.wealth)))
        chosen = [choices[place] for place in sorted(self.dice.sample(range(len(choices)), count))]
        body = "|".join(chosen).replace(" ", self.space)
        return f"{self.opening}{body})" if count > 1 or "(" in body else body

    def optional(self, words: str, share: float) -> str:
        """Up to three words that may stand there, with the white space that follows them."""
        if not self.often(share):
            return ""
        if self.often(0.3):
            return rf"(?:\w+{self.space}){{0,{self.number(1, 4)}}}"
        return f"{self.opening}{self.words(words, 1, 3)}{self.space})?"

    def gap(self) -> str:
        width = self.pick("10", "20", "30", "40", "50", "60", "80", "100", "200")
        shape = self.dice.choices((".", r"[^.\n]", r"[^\n]", r"[\s\S]", r"[\w\s]"), (60, 20, 10, 6, 4))[0]
        lazy = "?" if self.often(0.15) else ""
        return f"{shape}{{0,{width}}}{lazy}"

    def topic(self) -> Topic:
        return TOPICS[self.pick(*TOPICS)]


def order(pen: Pen) -> str:
    """Verb, perhaps a determiner, quality, thing."""
    topic = pen.topic()
    quality = pen.words(topic.qualities, 1, 4)
    middle = f"{quality}{pen.space}" if pen.often(0.6) else f"{pen.opening}{quality}{pen.space})?"
    verbs, things = pen.words(topic.verbs, 2, 5), pen.words(topic.things, 1, 5)
    return f"{pen.edge}{verbs}{pen.space}{pen.optional(DETERMINERS, 0.8)}{middle}{things}{pen.edge}"


def near(pen: Pen) -> str:
    """Two or three things that must stand near each other."""
    topic = pen.topic()
    parts = [pen.words(topic.verbs, 1, 4), pen.words(topic.things, 1, 3)]
    if pen.often(0.5):
        parts.insert(1, pen.words(topic.qualities, 1, 4))
    return pen.edge + (pen.gap() + pen.edge).join(parts) + pen.edge


def anywhere_after(pen: Pen) -> str:
    """As ``near``, with nothing that bounds the distance."""
    topic = pen.topic()
    gap = pen.dice.choices((".*", ".*?", ".+", r"[^\n]*", r"[\s\S]*"), (60, 15, 10, 10, 5))[0]
    pen.wealth = min(pen.wealth, 1)
    first = pen.words(topic.verbs, 1, 3)
    return f"{pen.edge}{first}{gap}{pen.words(topic.qualities, 1, 3)}{gap}{pen.words(topic.things, 1, 2)}"


def persona(pen: Pen) -> str:
    beginnings, personas = pen.words(BEGINNINGS, 1, 4), pen.words(PERSONAS, 1, 5)
    between = pen.optional("now,an?,the,my,from now on,going to be,no longer", 0.8)
    ending = pen.pick(
        "",
        "",
        pen.edge,
        rf"{pen.gap()}\b{pen.words('no rules,no restrictions,without limits,anything,unfiltered,never refuse', 1, 4)}",
    )
    return f"{pen.edge}{beginnings}{pen.space}{between}{personas}{ending}"


def authority(pen: Pen) -> str:
    roles = "developer,creator,administrator,admin,programmer,owner,engineer,supervisor,operator,ceo,security team"
    wants = "authori[sz]e,allow,order,permit,require,override,unlock,debug,test,grant,need you,instruct"
    return (
        rf"\b{pen.pick('i am', 'this is', 'i(?: a|.)m', 'as', 'speaking as').replace(' ', pen.space)}{pen.space}"
        rf"{pen.optional('your,the,an?,a senior', 0.9)}{pen.words(roles, 1, 5)}{pen.gap()}{pen.words(wants, 1, 5)}"
    )


def markup(pen: Pen) -> str:
    """The turns and roles that chat templates mark."""
    role = pen.words("system,assistant,user,developer,tool,instructions?,human,admin", 1, 4)
    after = pen.words("you,ignore,new,always,never,must,from now on,respond", 1, 4)
    return pen.pick(
        rf"<\|(?:im_start|start|header_start)\|>\s*{role}\b{pen.pick('', pen.gap() + after)}",
        rf"\[/?(?:INST|SYS|{role})\]\s*{pen.pick('', pen.gap())}{after}",
        rf"(?:^|\n)\s*#{{2,{pen.number(3, 6)}}}\s*{role}\s*:?\s*{pen.pick('', after)}",
        rf"<{{1,2}}/?{role}>{{1,2}}{pen.gap()}{after}",
        rf"(?:^|\n)\s*{role}\s*:\s*{after}\b",
        rf"-{{3,}}\s*(?:begin|end|start)\s+(?:of\s+)?{role}\s*{pen.pick('', after)}\s*-{{3,}}",
        rf"\"role\"\s*:\s*\"{role}\"{pen.pick('', pen.gap() + after)}",
    )


def shell(pen: Pen) -> str:
    fetch = pen.words("curl,wget,fetch,invoke-webrequest,iwr,certutil,bitsadmin,aria2c,lynx", 1, 4)
    run = pen.words("bash,sh,zsh,python3?,perl,ruby,node,php,iex,pwsh", 1, 5)
    files = "/etc/passwd,/etc/shadow,/etc/sudoers,/root/\\.ssh,~/\\.aws/credentials,\\.env,id_rsa,/var/log,/proc/self"
    tools = "whoami,uname,ifconfig,netstat,nmap,hashcat,mimikatz,sqlmap,tcpdump,crontab,systemctl,chattr,dd,mkfs"
    return pen.pick(
        rf"\b{fetch}\b[^\n|]{{1,{pen.number(60, 300)}}}\|\s*(?:sudo\s+)?{run}\b",
        rf"(?:[;&|`]|\$\()\s*{pen.words(tools, 2, 6)}\b",
        rf"\brm\s+-[a-z]*r[a-z]*f?\s+(?:--no-preserve-root\s+)?{pen.words('/,~,[*],/home,/var,/etc,/usr', 1, 4)}",
        rf"\b(?:cat|less|head|tail|type|more|cp|scp|nano)\s+[^\n;|]{{0,{pen.number(10, 60)}}}{pen.words(files, 1, 5)}",
        rf"\b{run}\s+-[cei]\s+['\"][^'\"\n]{{0,{pen.number(40, 200)}}}{pen.words(tools + ',socket,system,exec', 1, 4)}",
        rf"\bnc(?:at)?\s+(?:-\w+\s+){{0,{pen.number(2, 5)}}}-e\s+/bin/{run}",
        rf"\bpowershell(?:\.exe)?\s+(?:-\w+\s+){{0,{pen.number(2, 6)}}}-enc\s+[a-z0-9+/=]{{{pen.number(16, 60)},}}",
    )


def code(pen: Pen) -> str:
    modules = "os,subprocess,pty,shutil,ctypes,socket,pickle,marshal,importlib,builtins,commands,requests,urllib"
    calls = "system,popen,run,call,spawn,exec,check_output,loads,remove,rmtree,unlink,fork,getattr,compile"
    return pen.pick(
        rf"\b__import__\s*\(\s*['\"]{pen.words(modules, 2, 6)}['\"]",
        rf"\b{pen.words(modules, 2, 6)}\s*\.\s*{pen.words(calls, 2, 6)}\s*\(",
        rf"\b(?:eval|exec|compile)\s*\(\s*[^)\n]{{0,{pen.number(10, 80)}}}{pen.words('input,base64,' + modules, 2, 5)}",
        rf"\bfrom\s+{pen.words(modules, 2, 5)}\s+import\s+{pen.words(calls, 2, 5)}\b",
        rf"\b(?:Runtime|ProcessBuilder|{pen.words(modules, 1, 3)})\b{pen.gap()}\.{pen.words(calls, 1, 4)}\(",
        rf"(?:child_process|require\(['\"]{pen.words('fs,net,vm,http,child_process,cluster,os', 1, 4)}['\"]\))"
        rf"\s*\.\s*{pen.words(calls, 2, 5)}",
        rf"\b__(?:class|globals|subclasses|builtins|mro|base)__{pen.gap()}{pen.words(calls, 1, 5)}",
    )


def sql(pen: Pen) -> str:
    tables = "users?,accounts?,admins?,customers?,passwords?,orders,information_schema,sqlite_master,sessions,pg_\\w+"
    columns = "\\*,password,username,email,id,null,version\\(\\),user\\(\\),token,name,1"
    functions = "sleep,benchmark,pg_sleep,waitfor\\s+delay,load_file,xp_cmdshell,extractvalue,updatexml,dbms_pipe"
    return pen.pick(
        rf"\bunion\s+(?:all\s+)?select\s+{pen.words(columns, 1, 5)}{pen.pick('', pen.gap() + 'from')}",
        rf"['\")]\s*(?:or|and|x?or)\s+['\"(]?{pen.words('1,true,a,x,[0-9]+,null', 1, 4)}['\")]?\s*(?:=|like|is)",
        rf";\s*(?:drop|truncate|delete\s+from|alter|update|insert\s+into)\s+(?:table\s+)?{pen.words(tables, 1, 5)}",
        rf"\bselect\s+{pen.words(columns, 1, 4)}[^;\n]{{0,{pen.number(10, 80)}}}\bfrom\s+{pen.words(tables, 1, 4)}",
        rf"\b{pen.words(functions, 1, 4)}\s*\(\s*['\"]?\d*{pen.pick('', pen.gap() + '--')}",
        rf"\b(?:drop|truncate)\s+(?:table|database|schema)\s+(?:if\s+exists\s+)?{pen.words(tables, 1, 6)}",
    )


def script(pen: Pen) -> str:
    tags = "script,img,svg,iframe,body,video,input,details,object,embed,math,form,link,marquee,audio"
    events = "error,load,click,focus,mouseover,toggle,begin,start,animationend,pointerenter,submit,input"
    sinks = "alert,prompt,confirm,eval,fetch,document\\.cookie,document\\.write,window\\.location,localstorage,atob"
    ending = pen.pick("", pen.gap() + pen.words(sinks, 1, 4))
    return pen.pick(
        rf"<\s*{pen.words(tags, 1, 4)}\b[^>]{{0,{pen.number(40, 300)}}}>{ending}",
        rf"<{pen.words(tags, 1, 5)}\b[^>]*\son{pen.words(events, 1, 5)}\s*=",
        rf"\bon{pen.words(events, 2, 6)}\s*=\s*['\"]?[^'\">]{{0,{pen.number(10, 80)}}}{pen.words(sinks, 1, 4)}",
        rf"(?:href|src|action|data)\s*=\s*['\"]?\s*(?:javascript|vbscript|data):{ending}",
        rf"\b{pen.words(sinks, 1, 4)}\s*\([^)\n]{{0,{pen.number(10, 60)}}}{pen.words('cookie,token,[0-9]+', 1, 3)}",
    )


def template(pen: Pen) -> str:
    names = "__class__,__mro__,__globals__,__subclasses__,config,self,request,cycler,lipsum,joiner,constants,env"
    files = "etc/passwd,etc/shadow,windows/win\\.ini,\\.git/config,wp-config\\.php,proc/self/environ,boot\\.ini"
    hosts = (
        "169\\.254\\.169\\.254,metadata\\.google\\.internal,localhost,127\\.0\\.0\\.1,0x7f000001,\\[::1\\],10\\.0\\."
    )
    return pen.pick(
        rf"\{{\{{[^{{}}\n]{{0,{pen.number(20, 120)}}}{pen.words(names, 1, 4)}[^{{}}\n]{{0,{pen.number(20, 80)}}}\}}\}}",
        rf"\{{%\s*(?:import|include|for|set|if)\b[^%\n]{{0,{pen.number(20, 120)}}}{pen.words(names, 1, 5)}",
        rf"\$\{{\s*(?:jndi:(?:ldap|rmi|dns)|{pen.words(names, 1, 4)})[^}}\n]{{0,{pen.number(10, 100)}}}",
        rf"(?:\.\.[/\\]){{{pen.number(1, 4)},}}{pen.pick('', '[^ ]{0,40}')}{pen.words(files, 1, 5)}",
        rf"(?:https?|gopher|dict|ftp|file)://[^\s/]{{0,{pen.number(5, 60)}}}{pen.words(hosts, 1, 5)}",
        rf"<!(?:DOCTYPE|ENTITY)\b[^>]{{0,{pen.number(20, 200)}}}(?:SYSTEM|PUBLIC)\s+['\"]{pen.words(files, 1, 3)}",
    )


def link(pen: Pen) -> str:
    keys = "q,data,d,payload,token,secret,key,content,text,c,exfil,info,prompt,chat,history"
    hosts = "webhook\\.site,ngrok\\.io,requestbin,burpcollaborator,pastebin\\.com,interact\\.sh,pipedream,hookb\\.in"
    return pen.pick(
        rf"!\[[^\]]{{0,{pen.number(20, 120)}}}\]\(https?://[^)]{{1,{pen.number(60, 200)}}}[?&]{pen.words(keys, 2, 6)}=",
        rf"https?://[^\s/]{{0,{pen.number(10, 60)}}}{pen.words(hosts, 1, 5)}{pen.pick('', '/[a-z0-9-]{4,40}')}",
        rf"<img\b[^>]{{0,{pen.number(20, 100)}}}src\s*=\s*['\"]https?://[^'\"\s]+[?&]{pen.words(keys, 2, 6)}=",
        rf"\b(?:send|post|upload|forward)\b{pen.gap()}https?://[^\s/]*{pen.words(hosts, 1, 5)}",
    )


def secret(pen: Pen) -> str:
    vendor = pen.pick(*VENDORS.split(","))
    letters = pen.pick("[A-Z0-9]", "[A-Za-z0-9]", "[A-Za-z0-9_-]", "[0-9a-f]", r"[\w-]")
    length = pen.pick("{16}", "{20}", "{32}", "{36}", "{40}", "{64}", "{20,}", "{32,}", f"{{{pen.number(16, 40)},64}}")
    names = "key,token,secret,password,passwd,pwd,credential,auth,api_?key,access_?token,client_?secret"
    return pen.pick(
        rf"\b{pen.pick(*PREFIXES.split(','))}{letters}{length}{pen.pick('', pen.edge)}",
        rf"\b{pen.words(PREFIXES, 2, 4)}{letters}{length}",
        rf"(?:{vendor})[\w .-]{{0,{pen.number(10, 30)}}}(?:=|:|=>|:=)\s{{0,3}}['\"]?{letters}{length}",
        rf"(?:{vendor})[_-]?{pen.words(names, 1, 5)}\s*[:=]\s*['\"]?{letters}{length}",
        rf"-{{5}}BEGIN (?:{pen.words('RSA,EC,DSA,OPENSSH,PGP,ENCRYPTED', 2, 5)} )?PRIVATE KEY(?: BLOCK)?-{{5}}",
        rf"\b(?:postgres(?:ql)?|mysql|mongodb|redis|amqp|{vendor})://[^\s:@/]{{1,{pen.number(20, 60)}}}:[^\s@]+@",
        rf"\beyJ{letters}{{{pen.number(10, 30)},}}\.eyJ{letters}{{{pen.number(10, 30)},}}\.[\w-]+",
    )


def personal(pen: Pen) -> str:
    labels = (
        "ssn,social security,passport,iban,tax id,national id,driver'?s licen[cs]e,credit card,card number,cvv,routing"
    )
    label = rf"\b{pen.words(labels, 1, 4)}\b{pen.pick('', pen.space + '(?:number|no|#)')}\W{{0,{pen.number(3, 12)}}}"
    return label + pen.pick(
        r"\d{3}-\d{2}-\d{4}\b",
        r"(?:\d{4}[ -]?){3}\d{4}\b",
        rf"[A-Z]{{1,2}}\d{{{pen.number(6, 9)}}}\b",
        rf"\d{{{pen.number(3, 12)}}}\b",
        r"[A-Z]{2}\d{2}[A-Z0-9 ]{11,30}\b",
        r"\b(?:4\d{3}|5[1-5]\d{2}|6011)(?:[ -]?\d{4}){3}\b",
    )


def foreign(pen: Pen) -> str:
    verbs, between, qualities, things, space = FOREIGN[pen.pick(*FOREIGN)]
    pen.space = space
    link_word = rf"{pen.opening}{pen.words(between, 1, 4)}{space})?" if pen.often(0.7) else ""
    first, second = pen.words(qualities, 1, 5), pen.words(things, 2, 6)
    if pen.often(0.25):
        return f"{pen.words(verbs, 1, 5)}{pen.gap()}{second}"
    return f"{pen.words(verbs, 2, 6)}{space}{link_word}{first}{space}{second}"


def invisible(pen: Pen) -> str:
    ranges = "".join(pen.dice.sample(INVISIBLE.split(","), pen.number(1, 5)))
    if pen.often(0.2):
        ranges += pen.pick(*SELDOM_INVISIBLE.split(","))
    many = pen.pick("", "{2,}", "{3,}", "{5,}", f"{{{pen.number(2, 9)},}}", "+")
    return pen.pick(
        f"[{ranges}]{many}",
        rf"\w[{ranges}]{many}\w",
        rf"(?:\w[{ranges}]){{{pen.number(2, 8)},}}",
        rf"[A-Za-z]{{1,{pen.number(3, 12)}}}[{ranges}]+[A-Za-z]",
        rf"[{ranges}]{pen.gap()}{pen.words(pen.topic().verbs, 1, 4)}",
        rf"[a-z]+[\u0400-\u04ff]{{1,{pen.number(2, 4)}}}[a-z]+\s+[{ranges}]*{pen.words(pen.topic().things, 1, 3)}",
    )


def disguise(pen: Pen) -> str:
    """A word with other letters' shapes, or with things between its letters."""
    word = pen.pick(*DISGUISED.split(","))
    between = pen.pick(r"[\s._-]+", r"\W{1,3}", r"[\W_]{1,2}", rf"[^a-z]{{1,{pen.number(2, 5)}}}", r"\s", "")
    letters = [
        f"[{LOOKALIKES[letter]}]" if letter in LOOKALIKES and (not between or pen.often(0.3)) else letter
        for letter in word
    ]
    follows = "" if between and pen.often(0.5) else pen.gap() + pen.words(pen.topic().things, 1, 3)
    return rf"{pen.edge}{between.join(letters)}{follows}"


def reference(pen: Pen) -> str:
    topic = pen.topic()
    words, things = pen.words(topic.verbs, 1, 5), pen.words(topic.things, 1, 5)
    # Most are of quotes and tags that must close as they open; a pack has one or two against endless repetition.
    shapes = {
        rf"(?P<quote>['\"]){words}\s+{things}(?P=quote)": 40,
        rf"['\"]\s*(?:or|and)\s+['\"]?(?P<side>\w{{1,{pen.number(5, 20)}}})['\"]?\s*=\s*['\"]?(?P=side)": 30,
        rf"<(?P<name>\w+)[^>]{{0,{pen.number(10, 80)}}}>{pen.gap()}{words}{pen.gap()}</(?P=name)>": 22,
        rf"(?P<again>\b\w{{{pen.number(2, 5)},{pen.number(9, 20)}}}\b)(?:\W+(?P=again)){{{pen.number(4, 20)},}}": 4,
        rf"(?P<one>[^\s])(?P=one){{{pen.number(20, 200)},}}": 4,
    }
    return pen.dice.choices(list(shapes), list(shapes.values()))[0]


def guarded(pen: Pen, line: str) -> str:
    """A line with a look at what stands before or after it."""
    innocent = pen.words("example,tutorial,documentation,novel,article,lesson,unit test,how to prevent", 1, 4)
    return pen.pick(
        rf"(?<![\w-]){line}",
        rf"(?<!not ){line}",
        rf"{line}(?!\w)",
        rf"{line}(?!{pen.gap()}{innocent})",
        rf"{line}(?=[\s.,!?:;]|$)",
        rf"(?!{innocent}){line}",
        rf"{line}(?=[^\n]{{0,{pen.number(40, 200)}}}{pen.words(pen.topic().things, 1, 3)})",
    )


FAMILIES: Final[dict[Author, tuple[float, str]]] = {
    order: (27.8, "injection"),
    near: (15, "jailbreak"),
    anywhere_after: (6, "jailbreak"),
    persona: (9, "jailbreak"),
    authority: (3, "social_engineering"),
    markup: (4, "indirect_injection"),
    shell: (5, "code_injection"),
    code: (4, "code_injection"),
    sql: (4, "code_injection"),
    script: (3.5, "code_injection"),
    template: (3, "code_injection"),
    link: (2, "exfiltration"),
    secret: (5, "secrets"),
    personal: (2, "pii"),
    foreign: (6, "multilingual"),
    invisible: (1.2, "obfuscation"),
    disguise: (2.5, "obfuscation"),
    reference: (1, "denial_of_service"),
}
"""Who writes a rule, out of about a hundred, and what category it has."""


def generated_rules(count: int, seed: int = SEED) -> list[RuleSpec]:
    """That many rules, none with another's pattern; fewer are the beginning of more, for the same seed."""
    dice = random.Random(seed)
    authors, shares = list(FAMILIES), [share for share, _ in FAMILIES.values()]
    rules: dict[str, RuleSpec] = {}
    while len(rules) < count:
        author = dice.choices(authors, shares)[0]
        pattern = _pattern(author, dice)
        if pattern in rules or any(len(line) > LONGEST for line in pattern.split("\n")):
            continue
        if faults := LANGUAGES[DEFAULT_LANGUAGE].faults(pattern):
            raise AssertionError(f"{author.__name__} wrote {pattern!r}: {faults[0]}")
        rules[pattern] = RuleSpec(
            uuid=str(uuid5(NAMESPACE_URL, pattern)),
            name=f"Generated {len(rules) + 1}: {author.__name__.replace('_', ' ')}",
            details="Written by bench.realistic_rules.",
            pattern=pattern,
            action=dice.choice(list(Action)),
            # What looks for the invisible has nothing to find where it was taken off.
            views=Views.RAW if author is invisible else Views.ALL,
            severity=dice.choice(list(Severity)),
            category=FAMILIES[author][1],
        )
    return list(rules.values())


def rules_from_folder(path: Path) -> list[RuleSpec]:
    """An operator's own rule files; what is wrong in them is told on standard error and left out."""
    read = read_rules(path)
    for fault in read.faults:
        print(f"left out: {fault}", file=sys.stderr)
    return [filed.spec for filed in read.rules]


def _pattern(author: Author, dice: random.Random) -> str:
    count = 1 if dice.random() < 0.8 else dice.randint(2, 4)
    return "\n".join(_line(author, Pen(dice)) for _ in range(count))


def _line(author: Author, pen: Pen) -> str:
    line = author(pen)
    if pen.often(0.05):
        line = guarded(pen, line)
    # Secrets are told from words by their case; nearly everything else is looked for in any.
    caseless = pen.often(0.3 if author in {secret, invisible} else 0.96)
    return f"(?i){line}" if caseless else line
